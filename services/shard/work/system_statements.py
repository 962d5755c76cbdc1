"""Tells the statements of applications from those that touch nothing but the engine itself, Storex's own among them."""

from __future__ import annotations

SYSTEM_SCHEMAS = frozenset({"information_schema", "performance_schema", "mysql", "sys"})


def is_system(schema: str, tables: tuple[str, ...]) -> bool:
    """Whether a statement with that default schema, on these tables, is about the engine's system schemas only."""
    schemas = {table.partition(".")[0].lower() if "." in table else schema.lower() for table in tables}
    if schemas:
        return schemas <= SYSTEM_SCHEMAS
    # Without a table and without a default schema: session settings, SHOW and the like.
    return schema == "" or schema.lower() in SYSTEM_SCHEMAS
