"""What a stored program runs inside has no digest: the engine counts it for the program, and here who calls it gets it.

Rows of programs come with those of digests, in one reading, so that both are of one moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, FUNCTION, PROCEDURE

INSIDE = "counts_inside"
"""Column of a statement's row: 1 where what its program ran is counted with it."""
_OF_THE_CALL = ("calls", "total_picoseconds", "lock_picoseconds", "errors")
COUNTED = tuple(name for name in DIGEST_COUNTERS if name not in _OF_THE_CALL)
"""Counters that the engine keeps for programs and a caller's own row lacks, on some engines; the time it has itself."""
READS_MUCH, MOST_FUNCTIONS = 1_000, 20
"""Functions that read fewer rows, all calls together, are not looked for in the texts; nor are more than so many."""
_NAME = r"`(?:[^`]|``)+`|[\w$]+"
_CALL = re.compile(rf"\s*CALL\s+(?:(?P<schema>{_NAME})\s*\.\s*)?(?P<name>{_NAME})", re.IGNORECASE)


def with_what_they_ran(rows: Iterable[Row]) -> list[Row]:
    """The rows of statements; those of programs are added to the one that calls each most."""
    rows = list(rows)
    procedures = [row for row in rows if row["digest"] == PROCEDURE]
    functions = [row for row in rows if row["digest"] == FUNCTION]
    statements = [row for row in rows if row["digest"] not in (PROCEDURE, FUNCTION)]
    if procedures:
        calls = {place: called for place, row in enumerate(statements) if (called := _called(row)) is not None}
        for procedure in procedures:
            name = _name(procedure)
            _add(procedure, statements, [place for place, called in calls.items() if called == name])
    reading = sorted((one for one in functions if one["rows_examined"] >= READS_MUCH), key=_reads, reverse=True)
    for function in reading[:MOST_FUNCTIONS]:
        calls_it = _caller_of(*_name(function))
        _add(function, statements, [place for place, row in enumerate(statements) if calls_it(row)])
    return statements


def _add(program: Row, statements: list[Row], callers: list[int]) -> None:
    """Add what a program ran to the caller with most calls; one that counts it already has the same or more."""
    if callers:
        place = max(callers, key=lambda one: int(statements[one]["calls"]))
        row = statements[place]
        statements[place] = {**row, INSIDE: 1, **{name: max(row[name], program[name]) for name in COUNTED}}


def _reads(program: Row) -> int:
    return int(program["rows_examined"])


def _name(program: Row) -> tuple[str, str]:
    return str(program["schema_name"]).casefold(), str(program["digest_text"]).casefold()


def _called(row: Row) -> tuple[str, str] | None:
    call = _CALL.match(row["digest_text"] or "")
    if call is None:
        return None
    schema = _bare(call["schema"]) if call["schema"] else str(row["schema_name"] or "")
    return schema.casefold(), _bare(call["name"]).casefold()


def _caller_of(schema: str, name: str) -> Callable[[Row], bool]:
    """Whether a statement calls a function: engines print such a call as a quoted name before its parenthesis."""
    alone, qualified = f"`{name}` (", f"`{schema}` . `{name}` ("

    def calls_it(row: Row) -> bool:
        text = str(row["digest_text"] or "").casefold()
        return alone in text and (qualified in text or str(row["schema_name"] or "").casefold() == schema)

    return calls_it


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name
