"""`capacity.auto_increment`: a table's numbers are used up, or will be soon."""

from __future__ import annotations

from services.agent.report.causes.cause import HIGH_RISK, LOW_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count
from services.agent.report.sql import quoted_identifier

_TOOL = "list_auto_increments"
_TABLE = "columns[*].table"
_COLUMN = "columns[*].column"
_TYPE = "columns[*].data_type"
_LARGEST = "columns[*].largest"
_NEXT = "columns[*].next"
_LEFT = "columns[*].remaining"
_USED = "columns[*].used_ratio"
_FAILED = "columns[*].failed_inserts"
_INSERTS = "columns[*].inserts"
_LARGEST_TYPE = "bigint"


class AutoIncrement:
    """Names table, column and type, and how to get more numbers."""

    kind = "capacity.auto_increment"
    supporting = (
        Supporting(_TOOL, _TABLE, "The table."),
        Supporting(_TOOL, _COLUMN, "Its auto-increment column."),
        Supporting(_TOOL, _TYPE, "The column's type."),
        Supporting(_TOOL, _LARGEST, "The largest number of that type."),
        Supporting(_TOOL, _NEXT, "The number that the next row gets."),
        Supporting(_TOOL, _LEFT, "How many are left."),
        Supporting(_TOOL, _USED, "Share of the numbers that are used."),
        Supporting(_TOOL, _FAILED, "Inserts into the table that failed in the window."),
        Supporting(_TOOL, _INSERTS, "Inserts into the table in the window."),
    )

    def summary(self, facts: Facts) -> str:
        """Which column, and what it means for inserts."""
        if not facts.value(_LARGEST):
            return facts.fallback
        failed = facts.number(_FAILED)
        lately = f"; {count(failed, 'insert')} failed lately" if failed else ""
        return f"{_column(facts)} is {facts.value(_TYPE)} and has {_left(facts)}{lately}."

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A type that is too small → no number for the next row → failed inserts."""
        if not facts.value(_LARGEST):
            return ()
        failed = facts.number(_FAILED)
        effect = (
            f"{failed:,.0f} of {count(facts.number(_INSERTS), 'insert')} failed lately."
            if failed
            else "Once none is left, every insert fails."
        )
        return (
            Link(
                f"{_column(facts)} goes up to {facts.value(_LARGEST)}, and has {_left(facts)}.",
                (_TABLE, _COLUMN, _TYPE, _LARGEST, _NEXT, _LEFT, _USED),
            ),
            Link(effect, (_FAILED, _INSERTS)),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See the numbers in use, then widen the column."""
        table, column = quoted_identifier(facts.entity("affected", "table")), quoted_identifier(facts.value(_COLUMN))
        if table is None or column is None:
            return ()
        see = Step(
            "See the largest numbers in use: a single row that was written with a huge number uses up all below it, "
            "and "
            "may be moved.",
            NO_RISK,
            f"SELECT {column} FROM {table} ORDER BY {column} DESC LIMIT 5",  # noqa: S608 - quoted above
        )
        error = {"MariaDB": " They see error 167.", "MySQL": " They see error 1062."}.get(facts.engine, "")
        keep = Step(
            "Keep what cannot be written: let the clients queue or write to a log meanwhile, and stop those that "
            f"repeat failed inserts in a loop.{error}",
            LOW_RISK,
        )
        wider = _wider(facts.value(_TYPE))
        if not wider:
            return see, keep
        return (
            see,
            keep,
            Step(
                "Widen the column. It copies the table and stops writes to it meanwhile: for a large one use an online "
                "schema change tool. Before: see in `SHOW CREATE TABLE` which other attributes the column has, and "
                "which "
                "columns refer to it: those must be as wide. Clients must take numbers beyond 2^31. After: inserts "
                f"succeed, and `storex diag auto_increments {facts.cause.name}` shows numbers left.",
                HIGH_RISK,
                f"ALTER TABLE {table} MODIFY COLUMN {column} {wider} NOT NULL AUTO_INCREMENT",
            ),
        )


def _wider(data_type: str) -> str:
    """A type with more numbers, signed stays signed where that is enough; empty where there is none."""
    lower = data_type.lower()
    if not lower.startswith(_LARGEST_TYPE):
        return "BIGINT UNSIGNED" if "unsigned" in lower else "BIGINT"
    return "" if "unsigned" in lower else "BIGINT UNSIGNED"


def _column(facts: Facts) -> str:
    return f"{facts.entity('affected', 'table')}.{facts.value(_COLUMN)}"


def _left(facts: Facts) -> str:
    left = facts.number(_LEFT)
    return f"{count(left, 'number')} left" if left > 1 else "no number left"
