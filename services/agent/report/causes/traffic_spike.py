"""`traffic.spike`: a client suddenly sends many times as many statements."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import quoted_string

_TOOL = "get_traffic"
_USER = "clients[*].user"
_NOW = "clients[*].statements.per_second"
_BEFORE = "clients[*].statements.earlier_per_second"
_INCREASE = "clients[*].statements.increase_per_second"
_WATCHED = "clients[*].statements.earlier_seconds"
_LASTED = "clients[*].statements.lasted_seconds"
_CONNECTIONS = "clients[*].connections"
_CONNECTIONS_BEFORE = "clients[*].earlier_connections"
_ALL_NOW = "statements.per_second"
_ALL_BEFORE = "statements.earlier_per_second"
_IN_USE = "connections"
_LIMIT = "max_connections"

_ACCOUNT_LIMIT = "SELECT USER, HOST, MAX_USER_CONNECTIONS FROM mysql.user WHERE USER ="


class TrafficSpike:
    """Names who sends more, from what to what and since when, and how to slow it down."""

    kind = "traffic.spike"
    supporting = (
        Supporting(_TOOL, _USER, "The account that sends them."),
        Supporting(_TOOL, _NOW, "Statements that the client sends a second, now."),
        Supporting(_TOOL, _BEFORE, "Statements that it sent a second before."),
        Supporting(_TOOL, _INCREASE, "So many more a second."),
        Supporting(_TOOL, _WATCHED, "For how long it was watched before, in seconds."),
        Supporting(_TOOL, _LASTED, "For how long it has lasted, in seconds."),
        Supporting(_TOOL, _CONNECTIONS, "Its connections now."),
        Supporting(_TOOL, _CONNECTIONS_BEFORE, "Its connections before."),
        Supporting(_TOOL, _ALL_NOW, "Statements of all clients a second, now."),
        Supporting(_TOOL, _ALL_BEFORE, "Statements of all clients a second, before."),
        Supporting(_TOOL, _IN_USE, "Client connections now."),
        Supporting(_TOOL, _LIMIT, "The connection limit."),
    )

    def summary(self, facts: Facts) -> str:
        """Who sends how many, instead of how many."""
        if not facts.number(_NOW):
            return facts.fallback
        who = owner(facts, "cause")
        client = f"A client ({who})" if who else "A client"
        before = facts.number(_BEFORE)
        instead = (
            f"instead of {before:.0f}, {facts.number(_NOW) / before:.1f} times as many"
            if before
            else "and sent none before"
        )
        return f"{client} sends {facts.number(_NOW):.0f} statements a second {instead}."

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """More statements of one client → more to do for the server → connections."""
        if not facts.number(_NOW):
            return ()
        links = [
            Link(
                f"For {seconds(facts.number(_LASTED))} one client has been sending {facts.number(_INCREASE):.0f} "
                f"statements a second more than in the {seconds(facts.number(_WATCHED))} before.",
                (_USER, _NOW, _BEFORE, _INCREASE, _LASTED, _WATCHED),
            ),
            Link(
                f"All clients together send {facts.number(_ALL_NOW):.0f} statements a second instead of "
                f"{facts.number(_ALL_BEFORE):.0f}.",
                (_ALL_NOW, _ALL_BEFORE),
            ),
        ]
        if facts.number(_CONNECTIONS) > facts.number(_CONNECTIONS_BEFORE):
            links.append(
                Link(
                    f"It has {count(facts.number(_CONNECTIONS), 'connection')} instead of "
                    f"{facts.number(_CONNECTIONS_BEFORE):.0f}; {facts.number(_IN_USE):.0f} of "
                    f"{facts.number(_LIMIT):.0f} are in use by all.",
                    (_CONNECTIONS, _CONNECTIONS_BEFORE, _IN_USE, _LIMIT),
                )
            )
        return tuple(links)

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See it, find what changed at the client, then limit it there before limiting it here."""
        name, who = facts.cause.name, owner(facts, "cause") or "that client"
        steps = [
            Step("See whose traffic changed, by client, host and statement.", NO_RISK, f"storex diag traffic {name}"),
            Step(
                "See what else changed at that time: a deployment, a new program version, a new statement.",
                NO_RISK,
                f"storex changes {name}",
            ),
            Step(
                f"At the client ({who}): turn the cause off or limit its rate (a job, a loop, an emptied cache, a "
                "campaign); roll back what was released at that time. Before and after: its statements a second in "
                f"`storex diag traffic {name}`.",
                LOW_RISK,
            ),
        ]
        user = quoted_string(facts.entity("cause", "user"))
        if user is not None:
            steps.append(
                Step(
                    "If that takes too long, give the account fewer connections at a time (ALTER USER … WITH "
                    "MAX_USER_CONNECTIONS). Clients beyond it are refused with an error, of all programs that share "
                    "the account; those connected stay. Before: note its limit, 0 is none. After: set it back.",
                    MEDIUM_RISK,
                    f"{_ACCOUNT_LIMIT} {user}",
                )
            )
        return tuple(steps)
