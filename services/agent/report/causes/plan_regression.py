"""`query.plan_regression`: a statement's plan became worse."""

from __future__ import annotations

from services.agent.report.causes.cause import MEDIUM_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.statement import DIGEST, FIGURES, LOAD, TEXT, TOOL, looking_steps, on_table
from services.agent.report.causes.wording import count, seconds
from services.agent.report.sql import quoted_identifier

_CHANGED = "queries[*].work_change.changed_at"
_CALLS_BEFORE = "queries[*].work_change.before.calls"
_ROWS_BEFORE = "queries[*].work_change.before.rows_examined"
_TIME_BEFORE = "queries[*].work_change.before.average_seconds"
_ROWS_AFTER = "queries[*].work_change.after.rows_examined"
_TIME_AFTER = "queries[*].work_change.after.average_seconds"
_UNINDEXED = "queries[*].work_change.after.unindexed_share"


class PlanRegression:
    """Shows what a call cost before and after, and how to get the good plan back."""

    kind = "query.plan_regression"
    supporting = (
        *FIGURES,
        Supporting(TOOL, _CHANGED, "When it changed, as far as samples tell."),
        Supporting(TOOL, _CALLS_BEFORE, "Calls that the engine had counted before."),
        Supporting(TOOL, _ROWS_BEFORE, "Rows that a call read before."),
        Supporting(TOOL, _TIME_BEFORE, "Average time of a call before, in seconds."),
        Supporting(TOOL, _ROWS_AFTER, "Rows that a call reads since."),
        Supporting(TOOL, _TIME_AFTER, "Average time of a call since, in seconds."),
        Supporting(TOOL, _UNINDEXED, "Share of the calls since that used no index, or read something whole."),
    )

    def summary(self, facts: Facts) -> str:
        """Which statement, before and after."""
        if not facts.number(_ROWS_AFTER):
            return facts.fallback
        return (
            f"Statement {facts.entity('cause', 'statement_digest')}{on_table(facts)} reads "
            f"{count(facts.number(_ROWS_AFTER), 'row')} a call since its plan changed, "
            f"{count(facts.number(_ROWS_BEFORE), 'row')} before; a call takes {seconds(facts.number(_TIME_AFTER))} "
            f"instead of {seconds(facts.number(_TIME_BEFORE))}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A good plan → another one → more rows, more time."""
        if not facts.number(_ROWS_AFTER):
            return ()
        return (
            Link(
                f"The statement read {count(facts.number(_ROWS_BEFORE), 'row')} a call, "
                f"over {count(facts.number(_CALLS_BEFORE), 'call')}.",
                (DIGEST, TEXT, _CALLS_BEFORE, _ROWS_BEFORE, _TIME_BEFORE),
            ),
            Link(
                f"Then its plan changed: {count(facts.number(_ROWS_AFTER), 'row')} a call, for the same results.",
                (_CHANGED, _ROWS_AFTER, _UNINDEXED),
            ),
            Link(
                f"A call takes {seconds(facts.number(_TIME_AFTER))} now, and {facts.number(LOAD):.1f} sessions are "
                "busy with it on average.",
                (_TIME_AFTER, LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the plan and what indexes there are, then renew the statistics."""
        table = facts.entity("affected", "table")
        quoted = [
            name for one in facts.cause.values("affected", "table") if (name := quoted_identifier(one)) is not None
        ]
        if not table or not quoted:
            return looking_steps(facts)
        return (
            *looking_steps(facts),
            Step(
                "Renew the statistics that the optimiser chooses by; if an index was dropped, make it again instead. "
                "Before: see that no long statement runs on the tables, for new ones may have to wait for it. After: "
                "EXPLAIN names the index again, and `storex diag top_queries` shows fewer rows read a call.",
                MEDIUM_RISK,
                f"ANALYZE TABLE {', '.join(quoted)}",
            ),
        )
