"""Which writing statements ran lately on which tables, and how many of them failed, from samples of the digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestSample
from services.shard.view import InstanceView
from services.shard.work.system_statements import is_system

WINDOW = 6.0
"""How far back it is looked, in seconds, where that much has been sampled."""
INSERTS = frozenset({"INSERT", "REPLACE"})
_VERB = re.compile(r"\s*(INSERT|REPLACE|UPDATE|DELETE)\b", re.IGNORECASE)
_CALLS, _ERRORS = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("errors")


@dataclass(frozen=True, slots=True)
class WriteWork:
    """One statement's calls in the window; `table` is the one that it writes to, as `schema.table`."""

    verb: str
    table: str
    calls: int
    failed: int


@dataclass(frozen=True, slots=True)
class Writes:
    """All of them over `seconds`; 0 seconds where there are no two samples yet."""

    seconds: float
    work: tuple[WriteWork, ...]

    def on(self, table: str, verbs: frozenset[str] = INSERTS) -> tuple[int, int]:
        """Calls and failures of such statements on a table."""
        mine = [one for one in self.work if one.table.casefold() == table.casefold() and one.verb in verbs]
        return sum(one.calls for one in mine), sum(one.failed for one in mine)


def write_work(view: InstanceView) -> Writes:
    """The writes between the newest sample of the digests and one `WINDOW` before it."""
    samples = view.history.digests
    if len(samples) < 2:
        return Writes(0.0, ())
    newest = samples[-1]
    before = view.history.digests_before(newest.at, WINDOW)
    if before is None or before is newest:
        return Writes(0.0, ())
    return Writes(round(newest.at - before.at, 3), tuple(_work(view, before, newest)))


def _work(view: InstanceView, before: DigestSample, newest: DigestSample) -> Iterator[WriteWork]:
    for key, now in newest.counters.items():
        then = before.counters.get(key, (0,) * len(now))
        if then is now or now[_CALLS] <= then[_CALLS]:
            continue
        known = view.texts.get(key[1])
        verb = None if known is None else _VERB.match(known.text)
        if known is None or verb is None or not known.tables or is_system(key[0], known.tables):
            continue
        table = known.tables[0] if "." in known.tables[0] else f"{key[0]}.{known.tables[0]}"
        yield WriteWork(verb[1].upper(), table, now[_CALLS] - then[_CALLS], max(0, now[_ERRORS] - then[_ERRORS]))
