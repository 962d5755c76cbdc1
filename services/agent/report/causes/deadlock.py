"""`lock.deadlock`: transactions keep deadlocking."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, seconds

_TOOL = "get_innodb_status"
_COUNT = "deadlocks_in_window"
_WINDOW = "window_seconds"
_TABLE = "last_deadlock.transactions[*].waiting_table"
_INDEX = "last_deadlock.transactions[*].waiting_index"
_TEXT = "last_deadlock.transactions[*].statement.digest_text"


class Deadlock:
    """Says how often, over which rows, and by which statements."""

    kind = "lock.deadlock"
    supporting = (
        Supporting(_TOOL, _COUNT, "Deadlocks in the sampled window."),
        Supporting(_TOOL, _WINDOW, "The window, in seconds."),
        Supporting(_TOOL, _TABLE, "The table that a side of the last deadlock waited for."),
        Supporting(_TOOL, _INDEX, "The index whose record it waited for."),
        Supporting(_TOOL, _TEXT, "What it ran."),
    )

    def summary(self, facts: Facts) -> str:
        """How often, and where."""
        if not facts.number(_COUNT):
            return facts.fallback
        return (
            f"{count(facts.number(_COUNT), 'deadlock')} in {seconds(facts.number(_WINDOW))}; the last one was over "
            f"{' and '.join(facts.cause.values('affected', 'table'))}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """Rows taken in different orders → one side is rolled back, again and again."""
        if not facts.number(_COUNT):
            return ()
        return (
            Link(
                "Transactions take locks that the other side already holds, in different orders.",
                (_TABLE, _INDEX, _TEXT),
            ),
            Link(
                f"InnoDB rolls one side back each time: {count(facts.number(_COUNT), 'time')} in "
                f"{seconds(facts.number(_WINDOW))}. Its client fails, or does the work again.",
                (_COUNT, _WINDOW),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look at both sides, then mend the order in the code."""
        return (
            Step(
                "See both sides of the last deadlock, in the section LATEST DETECTED DEADLOCK: what each holds and "
                "what it waits for. It quotes rows: keep it in the region.",
                NO_RISK,
                "SHOW ENGINE INNODB STATUS",
            ),
            Step(
                "Let the code change rows in one order everywhere (by primary key, say), in short transactions, and "
                "repeat a transaction that was rolled back with error 1213 after a short random pause. Before: note "
                f"`storex diag innodb_status {facts.cause.name}`. After: deadlocks_in_window falls.",
                LOW_RISK,
            ),
        )
