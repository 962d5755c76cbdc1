"""`connections.exhausted`: no connection is left."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner

_TOOL = "get_connections"
_USER = "groups[*].user"
_TOTAL = "groups[*].total"
_RUNNING = "groups[*].running"
_RATIO = "used_ratio"
_CURRENT = "current"
_LIMIT = "max_connections"
_REFUSED = "refused"
_MORE = 1.25
"""How much more a raised limit allows."""


class ConnectionsExhausted:
    """Names who has most connections, and how to make room."""

    kind = "connections.exhausted"
    supporting = (
        Supporting(_TOOL, _USER, "The account that has most connections."),
        Supporting(_TOOL, _TOTAL, "How many it has."),
        Supporting(_TOOL, _RUNNING, "How many of these are at work now."),
        Supporting(_TOOL, _RATIO, "Connections in use over the limit."),
        Supporting(_TOOL, _CURRENT, "Connections now."),
        Supporting(_TOOL, _LIMIT, "The connection limit."),
        Supporting(_TOOL, _REFUSED, "Connection attempts refused in the window; MariaDB does not count them."),
    )

    def summary(self, facts: Facts) -> str:
        """How full it is, and who has most."""
        if not facts.value(_TOTAL):
            return facts.fallback
        return (
            f"{facts.number(_CURRENT):.0f} of {count(facts.number(_LIMIT), 'connection')} are in use; one client "
            f"({owner(facts, 'holder')}) has {facts.number(_TOTAL):.0f} of them, {facts.number(_RUNNING):.0f} at work."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """More clients than the server takes → others are refused."""
        if not facts.value(_TOTAL):
            return ()
        refused = facts.number(_REFUSED)
        return (
            Link(
                f"One client keeps {count(facts.number(_TOTAL), 'connection')}, of which "
                f"{facts.number(_RUNNING):.0f} are at work at one time.",
                (_USER, _TOTAL, _RUNNING),
            ),
            Link(
                f"With them the server is full ({facts.number(_RATIO):.0%}): "
                + (f"{count(refused, 'attempt')} were refused." if refused else "whoever comes next is refused."),
                (_CURRENT, _LIMIT, _RATIO, _REFUSED),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See who has them, make pools smaller, or the limit larger."""
        limit = int(facts.number(_LIMIT) * _MORE)
        raise_limit = Step(
            "Or take more connections, if memory allows: each may need several megabytes. Before: note the server's "
            "free memory and its limit of open files. After: new clients get in; watch memory.",
            MEDIUM_RISK,
            f"SET GLOBAL max_connections = {limit}",
        )
        return (
            Step(
                "See who has how many.",
                NO_RISK,
                "SELECT USER, COMMAND, COUNT(*) AS connections FROM information_schema.PROCESSLIST "
                "GROUP BY USER, COMMAND ORDER BY connections DESC",
            ),
            Step(
                f"Make the pools of that client ({owner(facts, 'holder') or 'the largest owner'}) smaller, or run "
                "fewer of its processes: together they must stay below the limit. Few of them work at one time.",
                LOW_RISK,
            ),
            *((raise_limit,) if limit else ()),
        )
