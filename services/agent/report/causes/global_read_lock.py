"""`lock.global_read`: a global read lock or a backup lock stops every write."""

from __future__ import annotations

from services.agent.report.causes import piles
from services.agent.report.causes.cause import Facts, Link, Step


class GlobalReadLock:
    """Names the holder, and the writes that wait."""

    kind = "lock.global_read"
    supporting = piles.SUPPORTING

    def summary(self, facts: Facts) -> str:
        """Who holds the lock."""
        return piles.summary(facts, "the global read lock or a backup lock")

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The lock is kept → no write goes on."""
        if not facts.value(piles.HOLDER):
            return ()
        holder = facts.entity("holder", "connection_id")
        return (
            Link(
                f"Connection {holder} took a lock against all writes, as FLUSH TABLES WITH READ LOCK or BACKUP STAGE "
                f"do, and {piles.doing(facts)}.",
                (piles.HOLDER, piles.COMMAND, piles.RUNNING, piles.LAST),
            ),
            piles.waiting_link(facts),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Give the lock back."""
        return piles.steps(facts, "run UNLOCK TABLES in that session, or to end the backup")
