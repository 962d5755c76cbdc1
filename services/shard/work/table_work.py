"""Which statements ran lately on which tables, from samples of the digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.view import InstanceView
from services.shard.work.statement_texts import KnownStatement
from services.shard.work.system_statements import is_system

WINDOW = 300.0
"""How far back it is looked, in seconds, where that much has been sampled."""
_PICO = 1e12


@dataclass(frozen=True, slots=True)
class TableWork:
    """One statement's calls in the window; `tables` are those that it names, as `schema.table`."""

    statement: KnownStatement
    schema: str
    tables: tuple[str, ...]
    counters: Mapping[str, int]
    load: float


@dataclass(frozen=True, slots=True)
class Work:
    """All of them over `seconds`; 0 seconds where there are no two samples yet."""

    seconds: float
    statements: tuple[TableWork, ...]

    def load_of(self, table: str) -> float:
        """Sessions busy with statements on the table, on average."""
        wanted = table.casefold()
        return sum(one.load for one in self.statements if wanted in map(str.casefold, one.tables))


def table_work(view: InstanceView) -> Work:
    """The work between the newest sample of the digests and one `WINDOW` before it."""
    samples = view.history.digests
    before = view.history.digests_before(samples[-1].at, WINDOW) if len(samples) > 1 else None
    if before is None or before is samples[-1]:
        return Work(0.0, ())
    seconds = samples[-1].at - before.at
    pairs = ((key, before.counters.get(key, (0,) * len(now)), now) for key, now in samples[-1].counters.items())
    return Work(round(seconds, 3), tuple(_work(view, seconds, pairs)))


def _work(
    view: InstanceView, seconds: float, pairs: Iterator[tuple[tuple[str, str], tuple[int, ...], tuple[int, ...]]]
) -> Iterator[TableWork]:
    for (schema, digest), then, now in pairs:
        if then is now or now[0] <= then[0]:
            continue
        known = view.texts.get(digest)
        if known is None or not known.tables or is_system(schema, known.tables):
            continue
        counters = {name: max(0, a - b) for name, a, b in zip(DIGEST_COUNTERS, now, then, strict=True)}
        tables = tuple(table if "." in table or not schema else f"{schema}.{table}" for table in known.tables)
        yield TableWork(known, schema, tables, counters, counters["total_picoseconds"] / _PICO / seconds)
