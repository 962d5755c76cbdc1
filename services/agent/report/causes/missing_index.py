"""`query.missing_index`: a statement reads far more rows than it returns, without an index."""

from __future__ import annotations

from services.agent.report.causes.cause import Facts, Link, Step, Supporting
from services.agent.report.causes.statement import (
    AVERAGE,
    CALLS,
    DIGEST,
    EXAMINED,
    FIGURES,
    LOAD,
    SCHEMA,
    SENT,
    TEXT,
    TOOL,
    index_step,
    looking_steps,
    on_table,
)
from services.agent.report.causes.wording import count, seconds

_UNINDEXED = "queries[*].unindexed_calls"


class MissingIndex:
    """Shows what the statement reads for what it returns, and proposes the index that its conditions ask for."""

    kind = "query.missing_index"
    supporting = (
        *FIGURES,
        Supporting(TOOL, _UNINDEXED, "Calls that used no index, or read a table or an index whole."),
    )

    def summary(self, facts: Facts) -> str:
        """Which statement, on which table, reads how much for how little."""
        calls = facts.number(CALLS)
        if not calls:
            return facts.fallback
        return (
            f"Statement {facts.entity('cause', 'statement_digest')}{on_table(facts)} finds its rows without an index: "
            f"{count(facts.number(EXAMINED) / calls, 'row')} read a call for "
            f"{count(facts.number(SENT) / calls, 'row')} returned, {count(calls, 'call')} of "
            f"{seconds(facts.number(AVERAGE))} each."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """No index → every row read → busy sessions."""
        if not facts.number(CALLS):
            return ()
        return (
            Link(
                f"{count(facts.number(_UNINDEXED), 'call')} of the statement used no index{on_table(facts)}.",
                (DIGEST, _UNINDEXED, TEXT, SCHEMA),
            ),
            Link(
                f"So it read {count(facts.number(EXAMINED), 'row')} to return {count(facts.number(SENT), 'row')}.",
                (EXAMINED, SENT, CALLS),
            ),
            Link(
                f"Each call takes {seconds(facts.number(AVERAGE))}; it keeps {facts.number(LOAD):.1f} sessions busy "
                "on average, and what they use the others lack.",
                (AVERAGE, LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the plan and the indexes there are, then add the one that is missing."""
        return (*looking_steps(facts), index_step(facts))
