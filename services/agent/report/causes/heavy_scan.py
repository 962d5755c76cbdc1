"""`query.heavy_scan`: a statement reads a great deal, as it was written to."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, Facts, Link, Step
from services.agent.report.causes.statement import (
    AVERAGE,
    CALLS,
    DIGEST,
    EXAMINED,
    FIGURES,
    LOAD,
    RATE,
    TEXT,
    looking_steps,
    on_table,
)
from services.agent.report.causes.wording import count, seconds


class HeavyScan:
    """Names the statement and what it reads, and how to ask for less."""

    kind = "query.heavy_scan"
    supporting = FIGURES

    def summary(self, facts: Facts) -> str:
        """Which statement reads how much how often."""
        calls = facts.number(CALLS)
        if not calls:
            return facts.fallback
        return (
            f"Statement {facts.entity('cause', 'statement_digest')}{on_table(facts)} reads "
            f"{count(facts.number(EXAMINED) / calls, 'row')} a call, {facts.number(RATE):.1f} times a second, and "
            f"keeps {facts.number(LOAD):.1f} sessions busy."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """Written to read much → called often → busy sessions."""
        calls = facts.number(CALLS)
        if not calls:
            return ()
        return (
            Link(
                f"The statement sums up or returns a great part of the table: "
                f"{count(facts.number(EXAMINED) / calls, 'row')} a call; no index would spare it that.",
                (DIGEST, TEXT, EXAMINED, CALLS),
            ),
            Link(
                f"It is called {facts.number(RATE):.1f} times a second at {seconds(facts.number(AVERAGE))} each: "
                f"{facts.number(LOAD):.1f} sessions are busy with it on average, and what they use the others lack.",
                (CALLS, RATE, AVERAGE, LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the plan, then ask less often or for less."""
        return (
            *looking_steps(facts),
            Step(
                "Ask less often: keep the result for a while in the client, or in a table that is brought up to date "
                "from time to time. Or read from a replica. After: its calls a second fall in "
                "`storex diag top_queries`.",
                LOW_RISK,
            ),
        )
