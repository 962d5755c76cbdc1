"""What a stored procedure runs inside has no digest: the engine counts it for the procedure, and here its CALL gets it.

Rows of procedures come with those of digests, in one reading, so that both are of one moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, PROCEDURE

INSIDE = "counts_inside"
"""Column of a CALL's row: 1 where what its procedure ran is counted with it."""
_OF_THE_CALL = ("calls", "total_picoseconds", "lock_picoseconds", "errors")
COUNTED = tuple(name for name in DIGEST_COUNTERS if name not in _OF_THE_CALL)
"""Counters that the engine keeps for procedures and that a CALL's own row lacks; the time it has itself."""
_NAME = r"`(?:[^`]|``)+`|[\w$]+"
_CALL = re.compile(rf"\s*CALL\s+(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})", re.IGNORECASE)

_Procedure = tuple[str, str]


def with_what_they_ran(rows: Iterable[Row]) -> list[Row]:
    """The rows of statements; those of procedures are added to the one that calls each most."""
    statements, procedures = [], {}
    for row in rows:
        if row["digest"] == PROCEDURE:
            procedures[(str(row["schema_name"]).casefold(), str(row["digest_text"]).casefold())] = row
        else:
            statements.append(row)
    callers: dict[_Procedure, int] = {}
    for place, row in enumerate(statements) if procedures else ():
        called = _called(row)
        if called in procedures and (called not in callers or row["calls"] > statements[callers[called]]["calls"]):
            callers[called] = place
    for called, place in callers.items():
        row, inside = statements[place], procedures[called]
        statements[place] = {**row, INSIDE: 1, **{name: row[name] + inside[name] for name in COUNTED}}
    return statements


def _called(row: Row) -> _Procedure | None:
    call = _CALL.match(row["digest_text"] or "")
    if call is None:
        return None
    schema = _bare(call["schema"]) if call["schema"] else str(row["schema_name"] or "")
    return schema.casefold(), _bare(call["name"]).casefold()


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
