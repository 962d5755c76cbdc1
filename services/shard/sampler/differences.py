"""What became different between two states of something that is watched: pure functions from states to changes.

A change is told without free text: values of variables only where they are numbers, switches or words of a list, and of
columns their kind of data, not their values or defaults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from services.shard.facts.variable_values import is_public
from services.shard.mysql.connection import Row
from services.shard.stores.records import Content
from services.shard.view import text, whole

VARIABLE, TABLE, VERSION, RESTART = "variable", "table", "version", "restart"
STATEMENT_NEW, STATEMENT_VANISHED = "statement_new", "statement_vanished"
CLIENT_NEW, CLIENT_GONE = "client_new", "client_gone"
DEPLOY, CLOCK = "deploy", "clock"
KINDS = (
    VARIABLE,
    TABLE,
    VERSION,
    RESTART,
    STATEMENT_NEW,
    STATEMENT_VANISHED,
    CLIENT_NEW,
    CLIENT_GONE,
    DEPLOY,
    CLOCK,
)
"""The kinds of change."""

Shape = Mapping[str, Mapping[str, str]]
"""The parts of each table, such as `column note`, each with a text that changes with its definition."""

_WITHHELD = "#"
_MOVING = ("gtid_", "timestamp", "rand_seed", "pseudo_", "last_insert_id", "identity", "insert_id", "error_count")
"""Variables that change by themselves."""


def variable_values(rows: Iterable[Row], salt: str) -> dict[str, str]:
    """The variables of SHOW GLOBAL VARIABLES; of one whose value stays home, a keyed hash that only says it changed."""
    values = {}
    for row in rows:
        name, value = text(row["variable_name"]), text(row["value"])
        if not name.startswith(_MOVING):
            values[name] = value if is_public(name, value) else _WITHHELD + _hash(value, salt)
    return values


def _hash(value: str, salt: str) -> str:
    return hashlib.blake2b(value.encode(), key=salt.encode(), digest_size=12).hexdigest()


def variable_changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Content]:
    """Variables whose value is another; one that came or went did so with the server's version."""
    for name in sorted(before.keys() & now.keys()):
        old, new = before[name], now[name]
        if old == new:
            continue
        if old.startswith(_WITHHELD) or new.startswith(_WITHHELD):
            yield {"variable": name, "withheld": "1"}
        else:
            yield {"variable": name, "old": old, "new": new}


def table_shapes(columns: Iterable[Row], indexes: Iterable[Row]) -> dict[str, dict[str, str]]:
    """The shape of each table, from `Statement.COLUMNS` and `Statement.INDEXES`."""
    shapes: dict[str, dict[str, str]] = {}
    for row in columns:
        parts = shapes.setdefault(_table(row), {})
        parts[f"column {text(row['column_name'])}"] = f"{text(row['data_type'])} {whole(row['shape'])}"
    for row in indexes:
        parts = shapes.setdefault(_table(row), {})
        unique = "unique " if whole(row["is_unique"]) else ""
        parts[f"index {text(row['index_name'])}"] = f"{unique}({text(row['column_names'])})"
    return shapes


def _table(row: Row) -> str:
    return f"{text(row['schema_name'])}.{text(row['table_name'])}"


def table_changes(before: Shape, now: Shape) -> Iterator[Content]:
    """Tables that were created, dropped, or whose columns or indexes are others."""
    for table in sorted(before.keys() | now.keys()):
        if table not in before:
            yield {"table": table, "action": "created"}
        elif table not in now:
            yield {"table": table, "action": "dropped"}
        else:
            yield from _part_changes(table, before[table], now[table])


def _part_changes(table: str, before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Content]:
    for part in sorted(before.keys() | now.keys()):
        if before.get(part) == now.get(part):
            continue
        action = "added" if part not in before else "dropped" if part not in now else "changed"
        kind, _, name = part.partition(" ")
        content = {"table": table, "action": f"{kind}_{action}", kind: name}
        definition = now.get(part, before.get(part, ""))
        yield {**content, "definition": definition.partition(" ")[0] if kind == "column" else definition}
