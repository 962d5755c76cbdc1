"""Statements that clients prepared in binary: MariaDB counts these for each handle, under no digest.

A handle goes with its connection, and its counters with it. So each reading is compared with the one before, and what
the handles of one statement did is added up: totals that only grow, under Storex's own digest and without literals.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from libs.redaction.sql import NormalisedSql, normalise
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, HANDLE

TEXTS_KEPT = 5_000
MOST_STATEMENTS = 2_000
"""So many are told apart; what others do is not counted."""
_FALLEN = 0.5
"""Counters that fell below this share are of another handle in the same place; else a reading came late."""
_CALLS = DIGEST_COUNTERS.index("calls")

_Counters = tuple[int, ...]


class PreparedTotals:
    """The totals of one server; readings may come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: dict[tuple[str, str], _Counters] = {}
        self._totals: dict[tuple[str, NormalisedSql], list[int]] = {}
        self._texts: dict[str, NormalisedSql] = {}

    def in_place_of_handles(self, rows: Iterable[Row]) -> list[Row]:
        """The rows of `Statement.DIGESTS` with a row for each statement in the place of those for each handle."""
        statements: list[Row] = []
        handles: list[Row] = []
        for row in rows:
            (handles if str(row["digest"]).startswith(HANDLE) else statements).append(row)
        with self._lock:
            if handles or self._handles:
                self._count(handles)
            totals = [_row(schema, text, counters) for (schema, text), counters in self._totals.items()]
        return [*statements, *totals]

    def _count(self, handles: list[Row]) -> None:
        seen = {}
        for row in handles:
            key = (str(row["digest"]), str(row["digest_text"]))
            now = tuple(int(row[name]) for name in DIGEST_COUNTERS)
            then = self._handles.get(key, (0,) * len(now))
            if now[_CALLS] < then[_CALLS]:
                then, now = ((0,) * len(now), now) if now[_CALLS] < _FALLEN * then[_CALLS] else (then, then)
            seen[key] = now
            total = self._total((str(row["schema_name"] or ""), self._text(key[1])))
            for place, (after, before) in enumerate(zip(now, then, strict=True)):
                total[place] += max(0, after - before)
        self._handles = seen

    def _total(self, statement: tuple[str, NormalisedSql]) -> list[int]:
        nothing = [0] * len(DIGEST_COUNTERS)
        full = len(self._totals) >= MOST_STATEMENTS
        return self._totals.get(statement, nothing) if full else self._totals.setdefault(statement, nothing)

    def _text(self, sql: str) -> NormalisedSql:
        known = self._texts.get(sql)
        if known is None:
            if len(self._texts) >= TEXTS_KEPT:
                self._texts.clear()
            known = self._texts[sql] = normalise(sql)
        return known


def _row(schema: str, text: NormalisedSql, counters: list[int]) -> Row:
    return {
        "schema_name": schema,
        "digest": text.digest,
        "digest_text": text.text,
        **dict(zip(DIGEST_COUNTERS, counters, strict=True)),
    }
