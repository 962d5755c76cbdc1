"""`maintenance.ddl`: a change of a table burdens the server."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import connection_number

_TOOL, _WAITS, _REPLICATION = "list_maintenance", "get_lock_waits", "get_replication"
_CONNECTION = "operations[*].session.connection_id"
_VERB = "operations[*].verb"
_TABLE = "operations[*].table"
_RUNNING = "operations[*].running_seconds"
_STATE = "operations[*].session.state"
_AVERAGE = "operations[*].slowdown.average_seconds"
_EARLIER = "operations[*].slowdown.earlier_average_seconds"
_ADDED = "operations[*].slowdown.added_load"
_WAITER = "waiters[*].session.connection_id"
_WAITED = "waiters[*].wait_seconds"
_LAG = "channels[*].lag_seconds"


class TableChange:
    """Names the change, who makes it, who suffers, and how to end or repeat it without harm."""

    kind = "maintenance.ddl"
    supporting = (
        Supporting(_TOOL, _CONNECTION, "The connection that changes the table."),
        Supporting(_TOOL, _VERB, "What it does."),
        Supporting(_TOOL, _TABLE, "The table that it changes."),
        Supporting(_TOOL, _RUNNING, "For how long it has been at it, in seconds."),
        Supporting(_TOOL, _STATE, "What the server does for it now."),
        Supporting(_TOOL, _AVERAGE, "Average time of other statements since it began, in seconds."),
        Supporting(_TOOL, _EARLIER, "What the same ones took before, in seconds."),
        Supporting(_TOOL, _ADDED, "So many more sessions are busy with them on average."),
        Supporting(_WAITS, _WAITER, "A session that waits for its locks."),
        Supporting(_WAITS, _WAITED, "For how long it has waited, in seconds."),
        Supporting(_REPLICATION, _LAG, "How far the replica is behind, in seconds."),
    )

    def summary(self, facts: Facts) -> str:
        """Who changes what, for how long, and who suffers."""
        if not facts.value(_CONNECTION):
            return facts.fallback
        who = owner(facts, "cause")
        return (
            f"Connection {facts.entity('cause', 'connection_id')}{f' ({who})' if who else ''} has been at work on"
            f" {facts.value(_VERB) or 'a change'}{_of(facts)} for {seconds(facts.number(_RUNNING))}, and others suffer"
            " from it."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A change at work → waiting sessions, slower statements, a replica behind."""
        if not facts.value(_CONNECTION):
            return ()
        links = [
            Link(
                f"Connection {facts.entity('cause', 'connection_id')} runs {facts.value(_VERB) or 'a change'}"
                f"{_of(facts)} and keeps what it needs for it until it is done.",
                (_CONNECTION, _VERB, _TABLE, _RUNNING, _STATE),
            )
        ]
        victims = facts.cause.values("victim", "connection_id")
        if victims and facts.value(_WAITED):
            links.append(
                Link(
                    f"{count(len(victims), 'session')} wait for its locks, the longest for"
                    f" {seconds(facts.number(_WAITED))}.",
                    (_WAITER, _WAITED),
                )
            )
        if facts.number(_ADDED) and facts.number(_AVERAGE):
            links.append(
                Link(
                    f"Other statements take {seconds(facts.number(_AVERAGE))} on average instead of"
                    f" {seconds(facts.number(_EARLIER))}: {facts.number(_ADDED):.1f} more sessions are busy with them.",
                    (_AVERAGE, _EARLIER, _ADDED),
                )
            )
        if facts.number(_LAG):
            links.append(Link(f"The replica is {seconds(facts.number(_LAG))} behind meanwhile.", (_LAG,)))
        return tuple(links)

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See how far it is, wait or end it, and make it without harm the next time."""
        name, connection = facts.cause.name, connection_number(facts.entity("cause", "connection_id"))
        if connection is None:
            return ()
        who = owner(facts, "cause") or "that client"
        return (
            Step(
                "See that it is still at work and what it does now. MariaDB tells how far it is in PROGRESS of the"
                " process list, MySQL in the stages of the performance schema.",
                NO_RISK,
                f"storex diag maintenance {name}",
            ),
            Step(
                f"Ask whoever runs {who} whether it can be made another time; if it is nearly done, let it end.",
                LOW_RISK,
            ),
            Step(
                "Or end it: what it has copied so far is thrown away, and the table stays as it was; nothing else is"
                f" lost. Before: see that connection {connection} is still at the same statement, and how far it is."
                f" After: `storex diag lock_waits {name}` shows no waiter.",
                MEDIUM_RISK,
                f"KILL QUERY {connection}",
            ),
            Step(
                "Make it again with ALGORITHM=INSTANT, or ALGORITHM=INPLACE with LOCK=NONE, which fail at once where"
                " the change needs more; else with a tool that copies in small steps, when there is little to do.",
                LOW_RISK,
            ),
        )


def _of(facts: Facts) -> str:
    table = facts.value(_TABLE) or facts.entity("affected", "table")
    return f" of {table}" if table else ""
