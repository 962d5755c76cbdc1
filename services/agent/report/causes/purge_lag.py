"""`innodb.purge_lag`: an old read view keeps what others replaced from being purged."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.idle_limit import idle_limit
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import connection_number

_TOOL = "get_purge_state"
_HOLDER = "oldest_view.session.connection_id"
_AGE = "oldest_view.age_seconds"
_IDLE = "oldest_view.idle_seconds"
_MODIFIED = "oldest_view.rows_modified"
_ISOLATION = "oldest_view.isolation_level"
_LENGTH = "history_list_length"
_VIEWS = "read_views"
_CHANGES = "changes_per_second"

_SEE_TRANSACTION = (
    "SELECT trx_started, trx_isolation_level, trx_rows_modified, trx_query IS NULL AS idle "
    "FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id ="
)


class PurgeLag:
    """Names who holds the read view, what it costs, and how to end it."""

    kind = "innodb.purge_lag"
    supporting = (
        Supporting(_TOOL, _HOLDER, "The connection whose transaction has the oldest read view."),
        Supporting(_TOOL, _AGE, "For how long that transaction has been open, in seconds."),
        Supporting(_TOOL, _IDLE, "For how long its client has run nothing in it, in seconds."),
        Supporting(_TOOL, _MODIFIED, "How many rows it has changed itself."),
        Supporting(_TOOL, _ISOLATION, "Its isolation level: it reads to its end what it saw at its beginning."),
        Supporting(_TOOL, _LENGTH, "Undo logs that wait to be purged."),
        Supporting(_TOOL, _VIEWS, "Read views that are open inside InnoDB."),
        Supporting(_TOOL, _CHANGES, "Rows a second that are changed meanwhile."),
    )

    def summary(self, facts: Facts) -> str:
        """Who holds the view, since when, and how much is kept for it."""
        holder = facts.entity("holder", "connection_id")
        if not holder or not facts.value(_LENGTH):
            return facts.fallback
        who = owner(facts, "holder")
        idle = facts.number(_IDLE)
        return (
            f"Connection {holder}{f' ({who})' if who else ''} has had a transaction open for "
            f"{seconds(facts.number(_AGE))}{f', idle for {seconds(idle)} in it' if idle else ''}: its read view keeps "
            f"{count(facts.number(_LENGTH), 'undo log')} from being purged."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """An open read view → undo is kept → reads become slow and the tablespace grows."""
        holder = facts.entity("holder", "connection_id")
        if not holder or not facts.value(_LENGTH):
            return ()
        changes = facts.number(_CHANGES)
        meanwhile = f" while {count(changes, 'row')} a second are changed" if changes >= 1 else ""
        return (
            Link(
                f"Connection {holder} opened a read view {seconds(facts.number(_AGE))} ago and has not ended it.",
                (_HOLDER, _AGE, _IDLE, _ISOLATION, _VIEWS),
            ),
            Link(
                f"For its sake InnoDB keeps every former version of a row{meanwhile}: "
                f"{count(facts.number(_LENGTH), 'undo log')} so far.",
                (_LENGTH, _CHANGES),
            ),
            Link(
                "Reads go through these versions and become slower with each, and the undo tablespace grows.",
                (_LENGTH,),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look, ask the owner, then end the session."""
        holder = connection_number(facts.entity("holder", "connection_id"))
        if holder is None:
            return ()
        lost = facts.number(_MODIFIED)
        loses = f"rolls back {count(lost, 'changed row')}" if lost else "changed nothing, so nothing is rolled back"
        working = "" if facts.number(_IDLE) else " It is at work: what it has read so far is lost to it."
        return (
            Step(
                "See that the transaction is still there, and what it has changed itself.",
                NO_RISK,
                f"{_SEE_TRANSACTION} {holder}",
            ),
            Step(
                f"Ask whoever runs {owner(facts, 'holder') or 'that client'} to commit or roll back, and to keep no "
                "transaction open between pieces of work; long reports belong on a replica, or under READ COMMITTED.",
                LOW_RISK,
            ),
            Step(
                f"If that takes too long, end the session: it {loses}.{working} Before: check that connection {holder} "
                f"is still the same client. After: `storex diag purge_state {facts.cause.name}` shows the history "
                "shrink; a long one takes minutes and some I/O.",
                MEDIUM_RISK,
                f"KILL {holder}",
            ),
            *(idle_limit(facts, "reading", 600) if facts.number(_IDLE) else ()),
        )
