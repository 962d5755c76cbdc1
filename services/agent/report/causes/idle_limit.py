"""Prevention of forgotten transactions, where the engine has a limit for them."""

from __future__ import annotations

from services.agent.report.causes.cause import MEDIUM_RISK, Facts, Step


def idle_limit(facts: Facts, doing: str, limit_seconds: int) -> tuple[Step, ...]:
    """End idle `reading` or `writing` transactions after so many seconds; nothing where the engine cannot."""
    if facts.engine != "MariaDB":
        return ()
    variable = {"reading": "idle_readonly_transaction_timeout", "writing": "idle_write_transaction_timeout"}[doing]
    return (
        Step(
            f"Afterwards, let the server end idle {doing} transactions by itself, once their owners agree: clients "
            f"that "
            "pause longer inside a transaction will lose it. Before: SHOW GLOBAL VARIABLES LIKE 'idle%transaction%'. "
            "After: watch the clients' errors for lost connections.",
            MEDIUM_RISK,
            f"SET GLOBAL {variable} = {limit_seconds}",
        ),
    )
