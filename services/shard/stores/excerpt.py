"""A part of a store that can be carried away: the rows of one instance as they lie there, and a store made of them.

Nothing is decoded on the way, so that it costs little, and the copy is read by the very code that reads the original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.shard.stores.records import number_of

Rows = Sequence[Sequence[Any]]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "samples": ("tier", "at", "layout_id", "points"),
    "work": ("tier", "at", "seconds", "done"),
    "statements": ("statement_id", "schema_name", "digest", "digest_text", "first_seen", "last_seen"),
    "changes": ("at", "change_id", "since", "kind", "content"),
    "states": ("subject", "at", "content"),
}
"""The columns of each table that an excerpt holds, after the instance's number."""
_WEIGHTY = {"samples": "points", "work": "done", "changes": "content"}
"""The tables that may be too large as a whole, and the column that makes them so."""
SHARES = {"samples": 0.6, "work": 0.3, "changes": 0.1}
"""How the room is divided among them."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The rows of one instance by table; `cuts` says from which time on (in milliseconds) a table is whole."""

    layouts: Rows
    tables: Mapping[str, Rows]
    cuts: Mapping[str, int] = field(default_factory=dict)

    def until(self, end: float) -> Excerpt:
        """What of it is not from after a moment, in seconds since the epoch."""
        tables = {
            name: [row for row in rows if row[COLUMNS[name].index("at")] <= end * 1000] if name in _WEIGHTY else rows
            for name, rows in self.tables.items()
        }
        return Excerpt(self.layouts, tables, self.cuts)


class Readable(Protocol):
    """The part of a database that an excerpt is taken from."""

    def rows(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""


class Writable(Protocol):
    """The part of a database that an excerpt is put into."""

    def execute_many(self, sql: str, params: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row of parameters."""


def take(database: Readable, instance: str, most_bytes: int) -> Excerpt:
    """The newest rows of an instance, as many as fit into about `most_bytes`."""
    number, tables, cuts = number_of(instance), {}, {}
    for table, columns in COLUMNS.items():
        room = int(most_bytes * SHARES[table]) if table in SHARES else None
        tables[table], cut = _newest(database, number, table, columns, room)
        if cut is not None:
            cuts[table] = cut
    used = {row[2] for row in tables["samples"]}
    layouts = [row for row in database.rows("SELECT layout_id, metrics FROM layouts") if row[0] in used]
    return Excerpt(layouts, tables, cuts)


def _newest(
    database: Readable, number: int, table: str, columns: Sequence[str], room: int | None
) -> tuple[Rows, int | None]:
    """The rows, and the time from which on they are all there, where they are not all there from the beginning."""
    select = f"SELECT {', '.join(columns)} FROM {table} WHERE instance_id = ?"  # noqa: S608 - fixed names
    if room is None:
        return database.rows(select, (number,)), None
    weight = f"SELECT COUNT(*), SUM(LENGTH({_WEIGHTY[table]})) FROM {table} WHERE instance_id = ?"  # noqa: S608
    [(count, size)] = database.rows(weight, (number,))
    if not count or size <= room:
        return database.rows(select, (number,)), None
    fitting = max(1, int(count * room / float(size)))
    rows = database.rows(f"{select} ORDER BY at DESC LIMIT {fitting}", (number,))
    return rows, min(row[columns.index("at")] for row in rows)


def put(database: Writable, instance: str, excerpt: Excerpt) -> None:
    """Write an excerpt into empty tables, as of an instance of that name."""
    number = number_of(instance)
    database.execute_many("REPLACE INTO instances VALUES (?, ?)", [(number, instance)])
    database.execute_many("REPLACE INTO layouts VALUES (?, ?)", excerpt.layouts)
    for table, columns in COLUMNS.items():
        names, places = ", ".join(("instance_id", *columns)), ", ".join("?" * (len(columns) + 1))
        rows = [(number, *row) for row in excerpt.tables.get(table, ())]
        database.execute_many(f"REPLACE INTO {table} ({names}) VALUES ({places})", rows)  # noqa: S608 - fixed names
