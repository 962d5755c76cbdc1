"""What guides about sessions that pile up behind one holder of a metadata or global lock share."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import connection_number

TOOL = "get_lock_waits"
HOLDER = "holders[*].session.connection_id"
BLOCKED = "holders[*].blocked_sessions"
LONGEST = "holders[*].longest_wait_seconds"
AGE = "holders[*].transaction.age_seconds"
IDLE = "holders[*].transaction.idle_seconds"
COMMAND = "holders[*].session.command"
RUNNING = "holders[*].session.statement.digest_text"
LAST = "holders[*].session.last_statement.digest_text"
WAITER = "waiters[*].session.connection_id"
KIND = "waiters[*].kind"
TABLE = "waiters[*].table"
MODE = "waiters[*].requested_mode"

SUPPORTING = (
    Supporting(TOOL, HOLDER, "The connection at the root of the waits: it waits for nobody itself."),
    Supporting(TOOL, BLOCKED, "How many sessions wait behind it."),
    Supporting(TOOL, LONGEST, "The longest of these waits, in seconds."),
    Supporting(TOOL, AGE, "For how long its transaction has been open, in seconds."),
    Supporting(TOOL, IDLE, "For how long it has run nothing inside that transaction, in seconds."),
    Supporting(TOOL, COMMAND, "What it does now."),
    Supporting(TOOL, RUNNING, "The statement that it runs now."),
    Supporting(TOOL, LAST, "The last statement that it ran."),
    Supporting(TOOL, "waiters[*].root_connection_id", "The waiting session's chain ends at the holder."),
    Supporting(TOOL, WAITER, "A session that waits."),
    Supporting(TOOL, KIND, "The kind of lock that it waits for."),
    Supporting(TOOL, TABLE, "The table that it waits for."),
    Supporting(TOOL, MODE, "The mode that a waiting session asks for: EXCLUSIVE is a change of the table."),
)

_LOOK = "SELECT ID, USER, COMMAND, TIME, STATE FROM information_schema.PROCESSLIST WHERE ID ="


def doing(facts: Facts) -> str:
    """What the holder does, in words."""
    if idle := facts.number(IDLE):
        return f"has been idle inside a transaction for {seconds(idle)}"
    return "is idle" if facts.value(COMMAND) == "Sleep" else "is at work"


def summary(facts: Facts, lock: str) -> str:
    """Who holds what, and how many wait."""
    holder = facts.entity("holder", "connection_id")
    if not holder or not facts.value(HOLDER):
        return facts.fallback
    who = owner(facts, "holder")
    return (
        f"Connection {holder}{f' ({who})' if who else ''} holds {lock} and {doing(facts)}; "
        f"{count(facts.number(BLOCKED), 'session')} wait behind it, the longest for {seconds(facts.number(LONGEST))}."
    )


def waiting_link(facts: Facts) -> Link:
    """How many wait, and for how long."""
    return Link(
        f"{count(facts.number(BLOCKED), 'session')} wait behind connection {facts.entity('holder', 'connection_id')}, "
        f"the longest for {seconds(facts.number(LONGEST))}.",
        (WAITER, KIND, BLOCKED, LONGEST),
    )


def steps(facts: Facts, polite: str) -> tuple[Step, ...]:
    """Look at the holder, ask its owner, then end it."""
    holder = connection_number(facts.entity("holder", "connection_id"))
    if holder is None:
        return ()
    who = owner(facts, "holder") or "that client"
    return (
        Step(
            "See that the holder is still there, and for how long it has been in its state.",
            NO_RISK,
            f"{_LOOK} {holder}",
        ),
        Step(f"Ask whoever runs {who} to {polite}: nothing is lost that way.", LOW_RISK),
        Step(
            f"If that takes too long, end the session: what it changed and did not commit is rolled back. Before: see "
            f"that connection {holder} is still the same client. After: `storex diag lock_waits {facts.cause.name}` "
            "shows no waiter.",
            MEDIUM_RISK,
            f"KILL {holder}",
        ),
    )
