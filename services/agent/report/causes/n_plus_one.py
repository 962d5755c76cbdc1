"""`traffic.n_plus_one`: one request became many small statements."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, NO_RISK, Facts, Link, Step
from services.agent.report.causes.statement import AVERAGE, CALLS, DIGEST, FIGURES, LOAD, RATE, TEXT, on_table
from services.agent.report.causes.wording import count, seconds


class NPlusOne:
    """Names the small statement, and how to send fewer of them."""

    kind = "traffic.n_plus_one"
    supporting = FIGURES

    def summary(self, facts: Facts) -> str:
        """Which statement is sent how often, and for what."""
        return facts.fallback

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A list → one statement for each of its rows."""
        if not facts.number(CALLS):
            return ()
        return (
            Link(facts.fallback, (DIGEST, TEXT)),
            Link(
                f"{count(facts.number(CALLS), 'call')}{on_table(facts)} of {seconds(facts.number(AVERAGE))} each: the "
                f"server is busy {facts.number(LOAD):.2f} of the time, the client waits for {facts.number(RATE):.0f} "
                "round trips a second.",
                (CALLS, RATE, AVERAGE, LOAD),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Find the loop in the client's code."""
        return (
            Step(
                "See which statement goes before it: its rows returned are as many as this one's calls.",
                NO_RISK,
                f"storex diag top_queries {facts.cause.name}",
            ),
            Step(
                "In the client's code, load all entries with one statement (a join, or IN with the ids), or let the "
                "object mapper fetch them eagerly. Roll the release back if it came with it. After: its calls a second "
                "fall to those of the list.",
                LOW_RISK,
            ),
        )
