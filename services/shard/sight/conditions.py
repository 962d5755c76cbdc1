"""What else good diagnosis rests on: an account that may read and no more, clocks that agree, known replication."""

from __future__ import annotations

from collections.abc import Iterable

from libs.core.errors import Reason, StorexError
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import real, text
from services.shard.work.system_statements import SYSTEM_SCHEMAS
from storex.diagnostics.v1.visibility_pb2 import (
    CONDITION_RESULT_FAILED,
    CONDITION_RESULT_GOOD,
    CONDITION_RESULT_UNKNOWN,
    CONDITION_RESULT_WARNING,
    Condition,
    Remedy,
)

CONDITION_STATEMENTS = (Statement.ACCOUNT, Statement.GRANTS, Statement.PROCESSES, Statement.REPLICA_STATUS)
"""What `conditions` wants to have been read."""

CLOCK_SECONDS = 2.0
"""A clock that is off by more makes times of findings wrong, and digests seem older or newer than they are."""

_READING = frozenset(
    {
        *("USAGE", "PROCESS", "REFERENCES", "SHOW VIEW", "SHOW DATABASES", "SHOW_ROUTINE", "SELECT"),
        *("REPLICATION CLIENT", "BINLOG MONITOR", "REPLICA MONITOR", "SLAVE MONITOR"),
    }
)
"""Privileges that change nothing."""
_REFUSED = frozenset({Reason.DATABASE_ACCESS_DENIED, Reason.DATABASE_PASSWORD_MISSING})
_DUMPS = ("Binlog Dump", "Binlog Dump GTID")


def conditions(results: ResultSets, began: float, ended: float, *, reads_rows: bool) -> list[Condition]:
    """All conditions of a server that answered; it was read between these two times of Storex's own clock.

    `reads_rows` tells whether the account is meant to read the applications' tables, as EXPLAIN needs.
    """
    return [
        Condition(subject="reachability", result=CONDITION_RESULT_GOOD, message="The server answers."),
        Condition(subject="account", result=CONDITION_RESULT_GOOD, message="The account is let in."),
        _privileges(results, reads_rows=reads_rows),
        _clock(results, began, ended),
        _replication(results),
    ]


def unanswered(error: StorexError) -> list[Condition]:
    """The conditions of a server that cannot be used, as far as the error tells them."""
    refused = error.reason in _REFUSED
    reached = CONDITION_RESULT_GOOD if error.reason is Reason.DATABASE_ACCESS_DENIED else CONDITION_RESULT_FAILED
    if error.reason is Reason.DATABASE_PASSWORD_MISSING:
        reached = CONDITION_RESULT_UNKNOWN
    message = "The server answers." if reached == CONDITION_RESULT_GOOD else error.public_message
    if reached == CONDITION_RESULT_UNKNOWN:
        message = "Without a password it was not tried."
    return [
        Condition(subject="reachability", result=reached, message=message),
        Condition(
            subject="account",
            result=CONDITION_RESULT_FAILED if refused else CONDITION_RESULT_UNKNOWN,
            message=error.public_message if refused else "The server was not reached.",
        ),
    ]


def account_of(results: ResultSets) -> str:
    """The account as GRANT wants it; empty where it is not known."""
    for row in results.rows(Statement.ACCOUNT):
        user, _, host = text(row["account"]).rpartition("@")
        return f"{_quoted(user)}@{_quoted(host)}"
    return ""


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "''") + "'"


def _privileges(results: ResultSets, *, reads_rows: bool) -> Condition:
    condition = Condition(subject="privileges")
    if not results.has(Statement.GRANTS):
        condition.result, condition.message = CONDITION_RESULT_UNKNOWN, "The account's privileges could not be read."
        return condition
    grants = [(text(row["privilege"]).upper(), text(row["scope"])) for row in results.rows(Statement.GRANTS)]
    writing = [(what, scope) for what, scope in grants if what not in _READING and not _is_of_sys(what, scope)]
    reading = [(what, scope) for what, scope in grants if what == "SELECT" and _is_of_applications(scope)]
    if writing:
        condition.result = CONDITION_RESULT_WARNING
        condition.message = (
            f"The account may do more than read: {_named(writing)}. Storex never uses that, but whoever gets hold of"
            " the account could."
        )
        condition.remedies.extend(_revokes(writing))
    elif reading and not reads_rows:
        condition.result = CONDITION_RESULT_WARNING
        condition.message = "The account may read the applications' rows, which only `explain: true` has a use for."
        condition.remedies.extend(_revokes(reading))
    else:
        condition.result, condition.message = CONDITION_RESULT_GOOD, "The account may read, and nothing else."
    return condition


def _is_of_sys(privilege: str, scope: str) -> bool:
    return privilege == "EXECUTE" and scope.lower() == "sys.*"


def _is_of_applications(scope: str) -> bool:
    return scope == "*.*" or scope.partition(".")[0].lower() not in SYSTEM_SCHEMAS


def _named(grants: Iterable[tuple[str, str]]) -> str:
    names = sorted({privilege for privilege, _ in grants})
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _revokes(grants: list[tuple[str, str]]) -> list[Remedy]:
    """The names of schemas stay out: what is public may not hold them."""
    everywhere = sorted({privilege for privilege, scope in grants if scope == "*.*"})
    remedies = [Remedy(statement=f"REVOKE {', '.join(everywhere)} ON *.* FROM <account>")] if everywhere else []
    if any(scope != "*.*" for _, scope in grants):
        remedies.append(
            Remedy(statement="SHOW GRANTS FOR <account>", note="It lists those on single schemas; REVOKE them there.")
        )
    return remedies


def _clock(results: ResultSets, began: float, ended: float) -> Condition:
    condition = Condition(subject="clock", result=CONDITION_RESULT_UNKNOWN, message="The server's clock was not read.")
    for row in results.rows(Statement.ACCOUNT)[:1]:
        there = real(row["server_seconds"])
        ahead = there - min(max(there, began), ended)
        if abs(ahead) <= CLOCK_SECONDS:
            condition.result, condition.message = CONDITION_RESULT_GOOD, "The server's clock agrees with Storex's."
            continue
        condition.result = CONDITION_RESULT_WARNING
        condition.message = (
            f"The server's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} Storex's: times of"
            " findings may be off by that."
        )
        condition.remedies.append(Remedy(note="Let both machines follow the same time servers."))
    return condition


def _replication(results: ResultSets) -> Condition:
    condition = Condition(subject="replication")
    replicas = sum(text(row["command"]) in _DUMPS for row in results.rows(Statement.PROCESSES))
    behind = f"{replicas} replicas read from it." if replicas else "No replica reads from it."
    if not results.has(Statement.REPLICA_STATUS):
        condition.result = CONDITION_RESULT_UNKNOWN
        condition.message = f"Whether it is a replica cannot be seen. {behind}"
        return condition
    channels = len(results.rows(Statement.REPLICA_STATUS))
    condition.result = CONDITION_RESULT_GOOD
    condition.message = f"It replicates through {channels} channels. {behind}" if channels else f"No replica. {behind}"
    return condition
