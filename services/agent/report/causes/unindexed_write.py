"""`lock.unindexed_write`: a write locks far more rows than it changes."""

from __future__ import annotations

from services.agent.report.causes.cause import Facts, Link, Step, Supporting
from services.agent.report.causes.statement import (
    CALLS,
    DIGEST,
    EXAMINED,
    FIGURES,
    TEXT,
    index_step,
    looking_steps,
    on_table,
)
from services.agent.report.causes.wording import count, seconds

_LOCKS = "get_lock_waits"
_LOCKED = "holders[*].transaction.rows_locked"
_MODIFIED = "holders[*].transaction.rows_modified"
_BLOCKED = "holders[*].blocked_sessions"
_LONGEST = "holders[*].longest_wait_seconds"


class UnindexedWrite:
    """Names the write, what it locks for what it changes, and the index that would spare it."""

    kind = "lock.unindexed_write"
    supporting = (
        *FIGURES,
        Supporting(_LOCKS, _LOCKED, "About how many rows its transaction has locked."),
        Supporting(_LOCKS, _MODIFIED, "How many it has changed."),
        Supporting(_LOCKS, _BLOCKED, "How many sessions wait for it."),
        Supporting(_LOCKS, _LONGEST, "The longest of these waits, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """Which write locks how much."""
        if not facts.number(_LOCKED):
            return facts.fallback
        return (
            f"Write {facts.entity('cause', 'statement_digest')}{on_table(facts)} locks about "
            f"{count(facts.number(_LOCKED), 'row')} to change {count(facts.number(_MODIFIED), 'row')}; "
            f"{count(facts.number(_BLOCKED), 'session')} wait for it, "
            f"the longest for {seconds(facts.number(_LONGEST))}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """No index → all rows read → all rows locked → sessions wait."""
        calls = facts.number(CALLS)
        if not calls or not facts.number(_LOCKED):
            return ()
        return (
            Link(
                f"The write finds its rows{on_table(facts)} by reading {count(facts.number(EXAMINED) / calls, 'row')} "
                "a call.",
                (DIGEST, TEXT, EXAMINED, CALLS),
            ),
            Link(
                f"InnoDB locks what a write reads: about {count(facts.number(_LOCKED), 'row')}, until the transaction "
                "ends.",
                (_LOCKED, _MODIFIED),
            ),
            Link(f"{count(facts.number(_BLOCKED), 'session')} need some of these rows and wait.", (_BLOCKED, _LONGEST)),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the plan, then add the index."""
        return (*looking_steps(facts), index_step(facts))
