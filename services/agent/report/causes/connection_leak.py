"""`connections.leak`: a client opens connections and never gives them back."""

from __future__ import annotations

from services.agent.report.causes.cause import MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
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

_LISTING = "SELECT ID, HOST, TIME FROM information_schema.PROCESSLIST"
_KILLS = "SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST"
_OUTSIDE_TRANSACTIONS = "ID NOT IN (SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX)"
_LONG_IDLE_SECONDS = 60
"""Idle time from which a connection is surely not between two statements of somebody's work."""


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
        who = owner(facts, "holder") or "that client"
        restart = Step(
            f"Restart or roll back the client ({who}): this gives all of its connections back, and loses what it has "
            "under way. Then look in its code or pool settings for connections that are opened and not returned. "
            f"Before: note `storex diag connections {facts.cause.name}`. After: its total falls and stays down.",
            MEDIUM_RISK,
        )
        idle = _idle_connections(facts)
        if not idle:
            return (restart,)
        return (
            Step("See the idle connections, the longest idle first.", NO_RISK, f"{_LISTING} {idle} ORDER BY TIME DESC"),
            restart,
            Step(
                "If the limit is reached before that, end the idle ones: this SELECT only prints the KILL commands, "
                "and leaves out connections inside a transaction. Before: see that the list holds only the leaking "
                "client's. After: run it again; if they come back, the client still leaks.",
                MEDIUM_RISK,
                f"{_KILLS} {idle} AND {_OUTSIDE_TRANSACTIONS}",
            ),
        )


def _idle_connections(facts: Facts) -> str:
    """The clauses that pick the client's idle connections; empty where its account cannot stand in a command."""
    user, program = (quoted_string(facts.entity("holder", type_)) for type_ in ("user", "program"))
    if user is None:
        return ""
    of_program = (
        "JOIN performance_schema.session_connect_attrs "
        f"ON PROCESSLIST_ID = ID AND ATTR_NAME = 'program_name' AND ATTR_VALUE = {program} "
    )
    seconds_idle = max(1, min(_LONG_IDLE_SECONDS, int(facts.number(_MEDIAN))))
    return f"{of_program if program else ''}WHERE USER = {user} AND COMMAND = 'Sleep' AND TIME >= {seconds_idle}"
