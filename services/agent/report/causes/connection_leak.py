"""`connections.leak`: a client opens connections and never gives them back."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import quoted_string

_TOOL = "get_connections"
_USER = "groups[*].user"
_TOTAL = "groups[*].total"
_IDLE = "groups[*].idle"
_MEDIAN = "groups[*].median_idle_seconds"
_GROWTH = "groups[*].growth"
_RATIO = "used_ratio"
_CURRENT = "current"
_LIMIT = "max_connections"
_REFUSED = "refused"


class ConnectionLeak:
    """Names the owner of the idle connections, and how to take them back."""

    kind = "connections.leak"
    supporting = (
        Supporting(_TOOL, _USER, "The account that owns the connections."),
        Supporting(_TOOL, _TOTAL, "How many connections this owner has."),
        Supporting(_TOOL, _IDLE, "How many of them are idle."),
        Supporting(_TOOL, _MEDIAN, "The median idle time of these, in seconds."),
        Supporting(_TOOL, _GROWTH, "How many more than at the start of the window."),
        Supporting(_TOOL, _RATIO, "Connections in use over the limit, 0 to 1."),
        Supporting(_TOOL, _CURRENT, "Connections now."),
        Supporting(_TOOL, _LIMIT, "The connection limit."),
        Supporting(_TOOL, _REFUSED, "Connection attempts refused in the window."),
    )

    def summary(self, facts: Facts) -> str:
        """Who holds how many idle connections of how many."""
        if not facts.value(_IDLE):
            return facts.fallback
        return (
            f"A client ({owner(facts, 'holder')}) holds {count(facts.number(_IDLE), 'idle connection')} of its "
            f"{count(facts.number(_TOTAL), 'connection')}; the server has {facts.number(_CURRENT):.0f} of "
            f"{facts.number(_LIMIT):.0f} in use ({facts.number(_RATIO):.0%})."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """Connections opened and kept → the limit comes near → others are refused."""
        if not facts.value(_IDLE):
            return ()
        growth = facts.number(_GROWTH)
        grown = f", {growth:.0f} more than at the start of the window" if growth > 0 else ""
        refused = facts.number(_REFUSED)
        effect = (
            f"{count(refused, 'connection attempt')} were refused."
            if refused
            else "New clients will be refused at the limit."
        )
        return (
            Link(
                f"One client has {count(facts.number(_IDLE), 'idle connection')}, idle for "
                f"{seconds(facts.number(_MEDIAN))} in the median{grown}.",
                (_USER, _TOTAL, _IDLE, _MEDIAN, _GROWTH),
            ),
            Link(
                f"They take part of the limit: {facts.number(_CURRENT):.0f} of {facts.number(_LIMIT):.0f} connections "
                f"are in use. {effect}",
                (_CURRENT, _LIMIT, _RATIO, _REFUSED),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """List them, restart the client, then end the idle ones."""
        user = quoted_string(facts.entity("holder", "user"))
        who = owner(facts, "holder") or "that client"
        idle_long = (
            f"FROM information_schema.PROCESSLIST WHERE USER = {user} AND COMMAND = 'Sleep' AND TIME >= 60"
            if user
            else ""
        )
        steps = [
            Step(
                f"Restart or roll back the client ({who}): this gives all of its connections back. Then look in its "
                "code or pool settings for connections that are opened and not returned. Before: note "
                f"`storex diag connections {facts.cause.name}`. After: its total falls and stays down.",
                LOW_RISK,
            )
        ]
        if not user:
            return tuple(steps)
        listing = f"SELECT ID, HOST, TIME {idle_long} ORDER BY TIME DESC"
        kills = f"SELECT CONCAT('KILL ', ID, ';') {idle_long}"
        return (
            Step("See the idle connections, the longest idle first.", NO_RISK, listing),
            *steps,
            Step(
                "If the limit is reached before that, end the idle ones: this SELECT only prints the KILL commands. "
                "Before: leave out connections with an open transaction. After: run it again; if they come back, the "
                "client still leaks.",
                MEDIUM_RISK,
                kills,
            ),
        )
