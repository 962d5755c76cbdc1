"""`lock.metadata`: a metadata lock stops a change of the table, and the change stops everybody."""

from __future__ import annotations

from services.agent.report.causes import piles
from services.agent.report.causes.cause import LOW_RISK, Facts, Link, Step


class MetadataLock:
    """Names the holder, the table, and the queue behind the change that waits."""

    kind = "lock.metadata"
    supporting = piles.SUPPORTING

    def summary(self, facts: Facts) -> str:
        """Who holds the lock on which table."""
        return piles.summary(facts, f"a metadata lock{_on(facts)}")

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A transaction left open → a change waits → everybody waits behind the change."""
        if not facts.value(piles.HOLDER):
            return ()
        holder = facts.entity("holder", "connection_id")
        has_change = "EXCLUSIVE" in facts.values(piles.MODE)
        change = (
            Link(
                "A change of the table asks for it exclusively and has to wait; whoever comes later queues behind it.",
                (piles.MODE, piles.TABLE),
            ),
        )
        return (
            Link(
                f"Connection {holder} {piles.doing(facts)} and keeps a metadata lock{_on(facts)} until it ends.",
                (piles.HOLDER, piles.AGE, piles.IDLE, piles.COMMAND, piles.RUNNING, piles.LAST),
            ),
            *(change if has_change else ()),
            piles.waiting_link(facts),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """End the holder's transaction, or take the change back."""
        give_up = Step(
            "Or cancel the change that waits, if it can be made another time: those behind it go on at once. Make it "
            "later with a small lock_wait_timeout, so that it gives up by itself.",
            LOW_RISK,
        )
        return (*piles.steps(facts, "commit or roll back"), give_up)


def _on(facts: Facts) -> str:
    table = facts.entity("affected", "table")
    return f" on {table}" if table else ""
