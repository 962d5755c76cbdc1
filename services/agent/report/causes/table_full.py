"""`capacity.table_full`: a table holds as much as it may."""

from __future__ import annotations

from services.agent.report.causes.cause import HIGH_RISK, LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting
from services.agent.report.causes.wording import count
from services.agent.report.sql import quoted_identifier

_TOOL = "list_table_limits"
_TABLE = "tables[*].table"
_ENGINE = "tables[*].engine"
_DATA = "tables[*].data_bytes"
_LIMIT = "tables[*].limit_bytes"
_ROWS = "tables[*].rows"
_FAILED = "tables[*].failed_inserts"
_INSERTS = "tables[*].inserts"
_IN_MEMORY = "MEMORY"


class TableFull:
    """Says which table, by which limit, and how to make room."""

    kind = "capacity.table_full"
    supporting = (
        Supporting(_TOOL, _TABLE, "The table."),
        Supporting(_TOOL, _ENGINE, "Its storage engine."),
        Supporting(_TOOL, _DATA, "Its data, in bytes."),
        Supporting(_TOOL, _LIMIT, "The most that it may hold, in bytes."),
        Supporting(_TOOL, _ROWS, "Its rows."),
        Supporting(_TOOL, _FAILED, "Inserts into it that failed in the window."),
        Supporting(_TOOL, _INSERTS, "Inserts into it in the window."),
    )

    def summary(self, facts: Facts) -> str:
        """Which table, how full, and what fails."""
        if not facts.value(_FAILED):
            return facts.fallback
        return (
            f"{facts.entity('affected', 'table')} ({facts.value(_ENGINE)}) is full with {facts.number(_DATA):,.0f} "
            f"bytes: "
            f"{facts.number(_FAILED):,.0f} of {count(facts.number(_INSERTS), 'insert')} failed lately."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A limit → a full table → failed inserts."""
        if not facts.value(_FAILED):
            return ()
        limit = (
            "max_heap_table_size as it was when the table was made, or its MAX_ROWS"
            if facts.value(_ENGINE) == _IN_MEMORY
            else "the width of its row pointers, set by MAX_ROWS"
        )
        return (
            Link(
                f"{facts.entity('affected', 'table')} may hold {facts.number(_LIMIT):,.0f} bytes, by {limit}.",
                (_TABLE, _ENGINE, _LIMIT),
            ),
            Link(
                f"It holds {facts.number(_DATA):,.0f}: {count(facts.number(_FAILED), 'insert')} failed lately.",
                (_DATA, _ROWS, _FAILED, _INSERTS),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See its definition, delete what is not needed, then move it to InnoDB."""
        table = quoted_identifier(facts.entity("affected", "table"))
        if table is None:
            return ()
        see = Step("See its definition: engine, MAX_ROWS and columns.", NO_RISK, f"SHOW CREATE TABLE {table}")
        room = Step(
            "Clients see error 1114, the table is full. "
            "Delete rows that nobody needs: a cache or a list of sessions has some that are long over. Ask its owner "
            "which.",
            LOW_RISK,
        )
        if facts.value(_ENGINE) == _IN_MEMORY:
            return (
                see,
                room,
                Step(
                    "Move it to InnoDB, which has no such limit and outlasts a restart. It copies the table and stops "
                    "writes meanwhile, for no longer than seconds at this size. Before: ask whether anybody relies "
                    "on it "
                    f"being empty after a restart. After: inserts succeed, and `storex diag table_limits "
                    f"{facts.cause.name}` does not list it any more.",
                    MEDIUM_RISK,
                    f"ALTER TABLE {table} ENGINE = InnoDB",
                ),
            )
        return (
            see,
            room,
            Step(
                "Move it to InnoDB, or raise MAX_ROWS: either copies the table and stops writes meanwhile, for long "
                "if it "
                "is large. Before: see that the disk has room for a second copy. After: inserts succeed.",
                HIGH_RISK,
                f"ALTER TABLE {table} ENGINE = InnoDB",
            ),
        )
