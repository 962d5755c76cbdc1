"""`lock.row_blocker`: a transaction holds row locks that others wait for."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.idle_limit import idle_limit
from services.agent.report.causes.wording import count, owner, seconds
from services.agent.report.sql import connection_number

_TOOL = "get_lock_waits"
_HOLDER = "holders[*].session.connection_id"
_BLOCKED = "holders[*].blocked_sessions"
_LONGEST = "holders[*].longest_wait_seconds"
_AGE = "holders[*].transaction.age_seconds"
_IDLE = "holders[*].transaction.idle_seconds"
_MODIFIED = "holders[*].transaction.rows_modified"
_RUNNING = "holders[*].session.statement.digest_text"
_LAST = "holders[*].session.last_statement.digest_text"
_ROOT = "waiters[*].root_connection_id"
_WAITER = "waiters[*].session.connection_id"
_TABLE = "waiters[*].table"
_INDEX = "waiters[*].index"

_SEE_TRANSACTION = (
    "SELECT trx_state, trx_started, trx_rows_locked, trx_rows_modified "
    "FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id ="
)


class RowBlocker:
    """Names the holder, what it keeps locked, who waits, and how to free them."""

    kind = "lock.row_blocker"
    supporting = (
        Supporting(_TOOL, _HOLDER, "The connection at the root of the lock waits: it waits for nobody itself."),
        Supporting(_TOOL, _BLOCKED, "How many sessions wait for it, directly or through others."),
        Supporting(_TOOL, _LONGEST, "The longest of these waits, in seconds."),
        Supporting(_TOOL, _AGE, "For how long its transaction has been open, in seconds."),
        Supporting(_TOOL, _IDLE, "For how long it has run nothing inside that transaction, in seconds."),
        Supporting(_TOOL, _MODIFIED, "How many rows it has changed and not committed."),
        Supporting(_TOOL, _RUNNING, "The statement that it runs now."),
        Supporting(_TOOL, _LAST, "The last statement that it ran."),
        Supporting(_TOOL, _ROOT, "The waiting session's chain ends at the holder."),
        Supporting(_TOOL, _WAITER, "A session that waits for a row lock."),
        Supporting(_TOOL, _TABLE, "The table whose row it waits for."),
        Supporting(_TOOL, _INDEX, "The index whose record is locked."),
    )

    def summary(self, facts: Facts) -> str:
        """Who holds what, for how long, and how many wait."""
        holder = facts.entity("holder", "connection_id")
        if not holder or not facts.value(_HOLDER):
            return facts.fallback
        who = owner(facts, "holder")
        doing = f"has been idle inside a transaction for {seconds(idle)}" if (idle := facts.number(_IDLE)) else "works"
        return (
            f"Connection {holder}{f' ({who})' if who else ''} holds row locks{_where(facts)} and {doing}; "
            f"{count(facts.number(_BLOCKED), 'session')} wait for it, "
            f"the longest for {seconds(facts.number(_LONGEST))}."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """An open transaction → locked rows → waiting sessions."""
        holder = facts.entity("holder", "connection_id")
        if not facts.value(_HOLDER):
            return ()
        age, idle, modified = facts.number(_AGE), facts.number(_IDLE), facts.number(_MODIFIED)
        kept = f"Connection {holder} keeps a transaction open" + (f", {seconds(age)} old" if age else "")
        kept += f", idle for {seconds(idle)}" if idle else ""
        kept += f", with {count(modified, 'row')} changed and not committed" if modified else ""
        return (
            Link(f"{kept}.", (_HOLDER, _AGE, _IDLE, _MODIFIED, _RUNNING, _LAST)),
            Link(f"Until it ends, InnoDB keeps its row locks{_where(facts)}.", (_ROOT, _TABLE, _INDEX)),
            Link(
                f"{count(facts.number(_BLOCKED), 'session')} need the same rows and wait, "
                f"the longest for {seconds(facts.number(_LONGEST))}.",
                (_WAITER, _BLOCKED, _LONGEST),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look, ask the owner, then end the holder's statement or session."""
        holder = connection_number(facts.entity("holder", "connection_id"))
        if holder is None:
            return ()
        look = f"{_SEE_TRANSACTION} {holder}"
        lost = facts.number(_MODIFIED)
        loses = f"rolls back {count(lost, 'changed row')}" if lost else "changed no row yet, so little is rolled back"
        who = owner(facts, "holder")
        return (
            Step(
                "See that the holder is still there and what it has changed: the more rows, the longer a roll-back.",
                NO_RISK,
                look,
            ),
            Step(
                f"Ask whoever runs {who or 'that client'} to commit or roll back: nothing is lost that way. "
                "Find out there why the transaction was left open.",
                LOW_RISK,
            ),
            Step(
                f"If that takes too long, end the session: this {loses}. Before: see in INNODB_TRX once more "
                f"what it has changed, and check that connection {holder} is still the same client. "
                f"After: `storex diag lock_waits {facts.cause.name}` shows no waiter, and the statements finish.",
                MEDIUM_RISK,
                f"KILL {holder}",
            ),
            *(idle_limit(facts, "writing", 60) if facts.number(_IDLE) else ()),
        )


def _where(facts: Facts) -> str:
    tables, indexes = facts.values(_TABLE), [index for index in facts.values(_INDEX) if index]
    if not tables or not tables[0]:
        return ""
    return f" in {', '.join(tables)}" + (f" (index {', '.join(indexes)})" if indexes else "")
