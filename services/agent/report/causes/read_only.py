"""`config.read_only`: the server refuses writes that clients keep trying."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, seconds

_TOOL = "get_read_only_state"
_VARIABLE = "variable"
_FAILED = "failed_writes"
_WRITES = "write_statements"
_REPLICA = "is_replica"
_WINDOW = "window_seconds"
_REFUSING = ("read_only", "super_read_only")
"""Variables that can be taken back while the server runs."""


class ReadOnly:
    """Says how many writes are refused, and asks which server is meant to take them before anything is switched."""

    kind = "config.read_only"
    supporting = (
        Supporting(_TOOL, _VARIABLE, "The variable that makes the server refuse writes."),
        Supporting(_TOOL, _FAILED, "Writes that failed in the window."),
        Supporting(_TOOL, _WRITES, "Writes in the window, those that failed included."),
        Supporting(_TOOL, _REPLICA, "Whether the server replicates from another."),
        Supporting(_TOOL, _WINDOW, "The window, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """Which variable, and what it costs."""
        if not facts.value(_FAILED):
            return facts.fallback
        return (
            f"The server refuses writes by {facts.entity('cause', 'variable')}: {count(facts.number(_FAILED), 'write')}"
            f" failed in {seconds(facts.number(_WINDOW))}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The variable → refused writes."""
        if not facts.value(_FAILED):
            return ()
        role = "a replica, which is meant to refuse them" if facts.value(_REPLICA) == "true" else "no replica"
        return (
            Link(f"{facts.entity('cause', 'variable')} is on; the server is {role}.", (_VARIABLE, _REPLICA)),
            Link(
                f"So {count(facts.number(_FAILED), 'write')} of {facts.number(_WRITES):,.0f} failed in "
                f"{seconds(facts.number(_WINDOW))}.",
                (_FAILED, _WRITES, _WINDOW),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See who set it and which server is the primary; then send writes there, or take them here again."""
        variable = facts.entity("cause", "variable")
        look = Step(
            "See what the server says of itself, and which server is the primary now: two that take writes at once "
            "lose data. A failed switch-over, an operator or a full disk's guard may have set this.",
            NO_RISK,
            "SELECT @@global.read_only, @@server_id, @@hostname",
        )
        if facts.value(_REPLICA) == "true":
            send = Step("Send the writes to the primary: see where these clients get their address from.", LOW_RISK)
            return look, send
        if variable not in _REFUSING:
            return (look,)
        return (
            look,
            Step(
                "Once it is sure that this server is the primary, let it take writes. Before: see that no other server "
                "of the service takes writes. After: `storex diag read_only_state "
                f"{facts.cause.name}` shows no failed write.",
                MEDIUM_RISK,
                f"SET GLOBAL {variable} = OFF",
            ),
        )
