"""`lock.hot_row`: many sessions queue for the same row in turn."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import seconds

_TOOL = "get_lock_waits"
_DIGEST = "waiters[*].session.statement.digest"
_TEXT = "waiters[*].session.statement.digest_text"
_RECORD = "waiters[*].record"
_TABLE = "waiters[*].table"
_LOAD = "row_lock_load"
_RATE = "row_lock_waits_per_second"
_AVERAGE = "average_row_lock_wait_seconds"

_QUEUES = {
    "MariaDB": "SELECT lock_table, lock_index, lock_rec, COUNT(*) AS sessions FROM information_schema.INNODB_LOCKS "
    "GROUP BY lock_table, lock_index, lock_space, lock_page, lock_rec ORDER BY sessions DESC LIMIT 5",
    "MySQL": "SELECT OBJECT_SCHEMA, OBJECT_NAME, INDEX_NAME, COUNT(*) AS sessions FROM performance_schema.data_locks "
    "WHERE LOCK_STATUS = 'WAITING' GROUP BY OBJECT_SCHEMA, OBJECT_NAME, INDEX_NAME ORDER BY sessions DESC LIMIT 5",
}


class HotRow:
    """Names the statement and the table, and how much waiting it makes."""

    kind = "lock.hot_row"
    supporting = (
        Supporting(_TOOL, _DIGEST, "The statement of a session that waits."),
        Supporting(_TOOL, _TEXT, "The statement, its literals replaced."),
        Supporting(_TOOL, _RECORD, "The place of the record that it waits for."),
        Supporting(_TOOL, _TABLE, "The table of that record."),
        Supporting(_TOOL, _LOAD, "Sessions that waited for row locks on average, by the waits that ended."),
        Supporting(_TOOL, _RATE, "Row-lock waits that began, a second."),
        Supporting(_TOOL, _AVERAGE, "How long a wait lasted on average, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """Which row's queue, and how long it is."""
        if not facts.number(_LOAD):
            return facts.fallback
        return (
            f"Sessions that run {facts.entity('cause', 'statement_digest')} queue for one row{_of(facts)} in turn: "
            f"{facts.number(_LOAD):.1f} of them wait on average, {seconds(facts.number(_AVERAGE))} each time."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """One row for all → one at a time → a queue."""
        if not facts.number(_LOAD):
            return ()
        return (
            Link(f"Many sessions change the same row{_of(facts)}.", (_DIGEST, _TEXT, _RECORD, _TABLE)),
            Link(
                "Each keeps its lock until its transaction ends, so that they go one after the other: "
                f"{facts.number(_RATE):.0f} waits begin each second and last {seconds(facts.number(_AVERAGE))}.",
                (_RATE, _AVERAGE, _LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the queue, then shorten the time that the row is held, or split the row."""
        queues = _QUEUES.get(facts.engine)
        see = (Step("See where sessions queue.", NO_RISK, queues),) if queues else ()
        return (
            *see,
            Step(
                "Change the row as the last thing in the transaction, and commit at once: the time between the two is "
                "what the others wait for. Nothing needs to be ended: each holder is gone in a moment.",
                LOW_RISK,
            ),
            Step(
                "If that does not do, spread the row: several rows that are summed up when read, or a queue that "
                f"gathers changes. After: row_lock_load of `storex diag lock_waits {facts.cause.name}` falls.",
                LOW_RISK,
            ),
        )


def _of(facts: Facts) -> str:
    table = facts.entity("affected", "table")
    return f" of {table}" if table else ""
