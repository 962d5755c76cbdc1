"""`query.temp_spill`: a statement spills temporary tables to disk."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.statement import (
    AVERAGE,
    CALLS,
    DIGEST,
    FIGURES,
    LOAD,
    TEXT,
    TOOL,
    looking_steps,
    on_table,
)
from services.agent.report.causes.wording import count, seconds

_ON_DISK = "queries[*].temp_disk_tables"


class TempSpill:
    """Names the statement, and what limits temporary tables in memory."""

    kind = "query.temp_spill"
    supporting = (*FIGURES, Supporting(TOOL, _ON_DISK, "Temporary tables that went to disk in the window."))

    def summary(self, facts: Facts) -> str:
        """Which statement writes how many temporary tables."""
        if not facts.number(_ON_DISK):
            return facts.fallback
        return (
            f"Statement {facts.entity('cause', 'statement_digest')}{on_table(facts)} writes temporary tables to disk: "
            f"{count(facts.number(_ON_DISK), 'table')} in {count(facts.number(CALLS), 'call')} of "
            f"{seconds(facts.number(AVERAGE))} each."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """More groups than fit → the disk → slow calls."""
        if not facts.number(_ON_DISK):
            return ()
        return (
            Link(
                "What the statement groups or sorts does not fit the memory that a temporary table may take.",
                (DIGEST, TEXT, _ON_DISK),
            ),
            Link(
                f"It is written to disk and read again: a call takes {seconds(facts.number(AVERAGE))}, and "
                f"{facts.number(LOAD):.1f} sessions are busy with it on average.",
                (CALLS, AVERAGE, LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See plan and limits; make the statement smaller, or the limit larger."""
        return (
            *looking_steps(facts),
            Step(
                "See the limits: on MariaDB the smaller one counts.",
                NO_RISK,
                "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('tmp_table_size', 'max_heap_table_size')",
            ),
            Step("Let the statement group or sort less: filter earlier, select fewer and shorter columns.", LOW_RISK),
            Step(
                "Or allow more memory, first for one session: every session that groups may take as much. Before: note "
                "the server's free memory. After: Created_tmp_disk_tables grows more slowly.",
                MEDIUM_RISK,
                "SET SESSION tmp_table_size = 67108864, SESSION max_heap_table_size = 67108864",
            ),
        )
