"""`traffic.retry_storm`: clients send a statement that fails again at once, and do little else.

That a statement fails now and then is its client's own business, and that a row is there already is how some of them
ask. What tells is that one fails most of the time, many times a second, and makes up much of what the server is sent.
Why it fails may be another finding's matter: a lock, a full table, a server that refuses writes.
"""

from __future__ import annotations

import re

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import owner_parts
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import failures_pb2, finding_pb2

KIND = "traffic.retry_storm"
TOOL = "list_failing_statements"

PER_SECOND, MOSTLY = 10.0, 0.6
"""Failures of one statement a second, and the share of its calls that fail."""
SHARE_OF_CALLS = 0.1
"""Its failures are at least this share of all statements: below that nobody feels it."""
LASTS, LOOK_AGAIN = 4.0, 1.0
"""For so long it has to have gone on, in seconds: what fails for a moment and is given up is no storm."""
TIMES = 3.0
"""So many times what it was before is more of it."""
MOST_FINDINGS = 3
CLEAR_MAJORITY = 0.6
"""Share of what was seen that an error, or a client, has to make up to be named."""
_ALREADY_THERE = frozenset({1022, 1062, 1586})
"""Errors by which clients are told that a row is there already: some ask like this all the time."""
_INSERTS = re.compile(r"\W*INSERT\b", re.IGNORECASE)


def detect(readings: Readings) -> Detection:
    """A finding for each such statement."""
    answer = readings.answer(TOOL, failures_pb2.ListFailingStatementsResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The statements that fail could not be read.")
    if any(_hides_all(limit) for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Without statement digests failures are not counted.")
    if "FAILURES_NOT_SAMPLED" in limit_codes(answer):
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    often = [place for place, one in enumerate(answer.statements) if _fails_often(one, answer.calls)]
    if not often:
        return Detection(reason=_clear(answer))
    storms = [place for place in often if not _is_usual(answer.statements[place])]
    lasting = [place for place in storms if _lasts(answer, answer.statements[place])][:MOST_FINDINGS]
    if lasting:
        return Detection(tuple(_finding(answer, place) for place in lasting))
    if storms:
        return Detection(reason="A statement has been failing for a moment only.", look_again=LOOK_AGAIN)
    return Detection(reason="A statement often finds a row there already, as it did before.")


def _hides_all(limit: entity_pb2.Limit) -> bool:
    return limit.source == "performance_schema" or limit.code == "STATEMENT_DIGESTS_OFF"


def _fails_often(one: failures_pb2.FailingStatement, all_calls: int) -> bool:
    return (
        one.failed_per_second >= PER_SECOND and one.failed_ratio >= MOSTLY and one.failed >= SHARE_OF_CALLS * all_calls
    )


def _is_usual(one: failures_pb2.FailingStatement) -> bool:
    """Whether clients merely ask for what is there, as they did before."""
    inserts = _INSERTS.match(one.statement.digest_text) is not None
    asks = one.errors[0].error_code in _ALREADY_THERE if one.errors else inserts
    return asks and one.failures.per_second < TIMES * max(one.failures.earlier_per_second, PER_SECOND)


def _lasts(answer: failures_pb2.ListFailingStatementsResponse, one: failures_pb2.FailingStatement) -> bool:
    if not one.failures.HasField("changed_at"):
        return answer.window_seconds >= LASTS
    return one.failures.lasted_seconds >= LASTS or one.failures.per_second < TIMES * one.failures.earlier_per_second


def _clear(answer: failures_pb2.ListFailingStatementsResponse) -> str:
    return f"{answer.failed} of {answer.calls} statements failed in {answer.window_seconds:.0f} s."


def _finding(answer: failures_pb2.ListFailingStatementsResponse, place: int) -> finding_pb2.Finding:
    one = answer.statements[place]
    code, client = _code(one), _client(one)
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9 if code else 0.8,
        summary=(
            f"A statement on {' and '.join(one.tables) or 'no table'} is sent again and again although it fails"
            f"{f' with error {code}' if code else ''}: {one.failed} of {one.calls} calls in"
            f" {answer.window_seconds:.0f} s, {one.failed_per_second:.0f} a second."
        ),
        entities=[
            entity(CAUSE, "statement_digest", one.statement.digest),
            *([entity(CAUSE, "error_code", str(code))] if code else []),
            *([] if client is None else owner_parts(CAUSE, client.user, client.host, client.program)),
            *(entity(AFFECTED, "table", table) for table in one.tables),
            *([entity(AFFECTED, "schema", one.schema)] if one.schema else []),
        ],
        evidence=_evidence(answer, place, named=code != 0),
        impact=one.failed_per_second / 100.0,
    )
    if one.failures.HasField("changed_at") and one.failures.per_second >= TIMES * one.failures.earlier_per_second:
        finding.onset.CopyFrom(one.failures.changed_at)
    return finding


def _code(one: failures_pb2.FailingStatement) -> int:
    """What it fails with nearly always; 0 where that is not known or differs."""
    seen = sum(error.seen for error in one.errors)
    return one.errors[0].error_code if one.errors and one.errors[0].seen >= CLEAR_MAJORITY * seen else 0


def _client(one: failures_pb2.FailingStatement) -> failures_pb2.FailingClient | None:
    """Who it nearly always fails for; None where that is not known or differs."""
    seen = sum(client.seen for client in one.clients)
    return one.clients[0] if one.clients and one.clients[0].seen >= CLEAR_MAJORITY * seen else None


def _evidence(
    answer: failures_pb2.ListFailingStatementsResponse, place: int, *, named: bool
) -> list[entity_pb2.Evidence]:
    row = f"statements[{place}]"
    paths = [
        (f"{row}.statement.digest", "The statement that fails."),
        (f"{row}.failed", "Its calls in the window that failed."),
        (f"{row}.calls", "Its calls in the window."),
        (f"{row}.failed_per_second", "Its failures a second."),
        (f"{row}.failures.earlier_per_second", "Its failures a second, before."),
        ("failed", "Calls of all statements in the window that failed."),
        ("calls", "Calls of all statements in the window."),
        ("window_seconds", "The window that this was counted over."),
    ]
    if named:
        paths.append((f"{row}.errors[0].error_code", "The error that it fails with."))
    client = _client(answer.statements[place])
    if client is not None:
        at = f"{row}.clients[0]"
        owners = (("user", client.user), ("host", client.host), ("program", client.program))
        paths += [(f"{at}.{field}", f"The {field} of those that send it.") for field, known in owners if known]
    return [cite(TOOL, answer, path, statement) for path, statement in paths]
