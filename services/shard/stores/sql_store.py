"""The store's SQL, the same for every engine; what differs between engines is in their `Database`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.stores.excerpt import Excerpt, take
from services.shard.stores.migrations import BOOKKEEPING, MIGRATIONS
from services.shard.stores.packing import NUMBER_BYTES, pack_values, pack_work, unpack_values, unpack_work
from services.shard.stores.records import (
    Batch,
    Change,
    Point,
    Sample,
    SeenStatement,
    State,
    StatementKey,
    Tier,
    Work,
    number_of,
)
from services.shard.stores.retention import (
    DEFAULT,
    FINER,
    SAMPLE_PERIODS,
    WORK_PERIODS,
    Retention,
    point_of,
    summarise,
    total_work,
)

MOST_CHANGES = 10_000
SETTLE_SECONDS = 5.0
"""How long after its end a period is rolled up: by then what belongs to it has been written."""

Params = Sequence[object]


class Database(Protocol):
    """A connection of one engine. Every method raises StorexError STORE_FULL or STORE_UNAVAILABLE."""

    @property
    def table_options(self) -> str:
        """What is written behind the definition of a table."""

    def transaction(self, *, durable: bool = False) -> AbstractContextManager[None]:
        """All statements inside take effect together; `durable`: not even a power cut undoes them afterwards."""

    def execute(self, sql: str, params: Params = ()) -> None:
        """Run a statement; parameters stand as `?`."""

    def execute_many(self, sql: str, params: Sequence[Params]) -> None:
        """Run a statement once for each row of parameters."""

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""

    def close(self) -> None:
        """End the connection."""


def migrate(database: Database, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the tables up to date; a newer store is left as it is."""
    options = database.table_options
    database.execute(BOOKKEEPING.replace("{options}", options))
    for number, steps in enumerate(migrations, 1):
        done = database.rows("SELECT steps FROM storex_migrations WHERE number = ?", (number,))
        for position, step in enumerate(steps[done[0][0] if done else 0 :], done[0][0] if done else 0):
            with database.transaction(durable=True):
                database.execute(step.replace("{options}", options))
                database.execute("REPLACE INTO storex_migrations VALUES (?, ?)", (number, position + 1))


def open_store(database: Database) -> SqlHistoryStore:
    """The store in a database, brought up to date; closes the database when that fails. Raises StorexError."""
    try:
        migrate(database)
        return SqlHistoryStore(database)
    except BaseException:
        database.close()
        raise


class SqlHistoryStore:
    """A HistoryStore over a database whose tables are up to date."""

    def __init__(self, database: Database, retention: Retention = DEFAULT) -> None:
        self._db = database
        self._retention = retention
        self._layouts: dict[int, tuple[str, ...]] = {}
        self._read_layouts()
        self._layout = max(self._layouts.values(), key=len, default=())
        self._named: set[str] = set()

    def write(self, batches: Sequence[Batch], *, durable: bool = False) -> None:
        """See HistoryStore."""
        layout = self._layout_for(batches)
        with self._db.transaction(durable=durable):
            if layout != self._layout:
                row = (number_of(",".join(layout)), json.dumps(layout))
                self._db.execute("REPLACE INTO layouts VALUES (?, ?)", row)
            for batch in batches:
                self._write_one(batch, layout)
        self._layout = layout
        self._layouts[number_of(",".join(layout))] = layout
        self._named.update(batch.instance for batch in batches)

    def _layout_for(self, batches: Sequence[Batch]) -> tuple[str, ...]:
        new = {metric for batch in batches for sample in batch.samples for metric in sample.values} - set(self._layout)
        return (*self._layout, *sorted(new))

    def _write_one(self, batch: Batch, layout: tuple[str, ...]) -> None:
        instance = number_of(batch.instance)
        if batch.instance not in self._named:
            self._db.execute("REPLACE INTO instances VALUES (?, ?)", (instance, batch.instance))
        if batch.forget_after is not None:
            for table in ("samples", "work"):
                self._db.execute(
                    f"DELETE FROM {table} WHERE instance_id = ? AND tier <= ? AND at > ?",  # noqa: S608 - fixed names
                    (instance, max(Tier), _milliseconds(batch.forget_after)),
                )
        self._write_samples(instance, Tier.RAW, batch.samples, layout)
        self._write_work(instance, Tier.RAW, batch.work)
        for table, rows in (
            ("statements", [_statement_row(instance, seen) for seen in batch.statements]),
            ("changes", [_change_row(instance, change) for change in batch.changes]),
            ("states", [(instance, name, _milliseconds(s.at), s.content) for name, s in batch.states.items()]),
        ):
            self._put(table, rows)

    def _put(self, table: str, rows: Sequence[Params]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._db.execute_many(f"REPLACE INTO {table} VALUES ({places})", rows)  # noqa: S608 - fixed names

    def _write_samples(self, instance: int, tier: Tier, samples: Iterable[Sample], layout: tuple[str, ...]) -> None:
        layout_id = number_of(",".join(layout))
        packed = [
            (sample.at, pack_values(layout, {name: (value,) for name, value in sample.values.items()}, 1))
            for sample in samples
        ]
        self._put("samples", [(instance, int(tier), _milliseconds(at), layout_id, data) for at, data in packed])

    def _write_work(self, instance: int, tier: Tier, pieces: Iterable[Work]) -> None:
        self._put("work", [_work_row(instance, tier, piece) for piece in pieces])

    def series(self, instance: str, metric: str, tier: Tier, start: float, end: float) -> list[Point]:
        """See HistoryStore."""
        width = _width(tier)
        points: list[Point] = []
        for layout_id, layout in self._known_layouts(metric).items():
            first = 1 + layout.index(metric) * width * NUMBER_BYTES
            found = self._db.rows(
                "SELECT at, SUBSTR(points, ?, ?) FROM samples"
                " WHERE instance_id = ? AND tier = ? AND at >= ? AND at < ? AND layout_id = ?",
                (first, width * NUMBER_BYTES, *_range(instance, tier, start, end), layout_id),
            )
            made = (point_of(at / 1000, unpack_values(packed)) for at, packed in found)
            points += [point for point in made if point is not None]
        return sorted(points, key=lambda point: point.at)

    def rows(self, instance: str, tier: Tier, start: float, end: float) -> list[tuple[float, Mapping[str, Point]]]:
        """See HistoryStore."""
        width = _width(tier)
        answer: list[tuple[float, Mapping[str, Point]]] = []
        for at, layout_id, packed in self._packed(instance, tier, start, end):
            numbers = unpack_values(packed)
            layout = self._layouts[layout_id]
            made = (
                (metric, point_of(at / 1000, numbers[place * width : (place + 1) * width]))
                for place, metric in enumerate(layout)
            )
            answer.append((at / 1000, {metric: point for metric, point in made if point is not None}))
        return answer

    def work(self, instance: str, tier: Tier, start: float, end: float) -> list[Work]:
        """See HistoryStore."""
        keys = {_statement_id(key): key for key in self.statements(instance)}
        found = self._db.rows(
            "SELECT at, seconds, done FROM work WHERE instance_id = ? AND tier = ? AND at >= ? AND at < ? ORDER BY at",
            _range(instance, tier, start, end),
        )
        return [
            Work(
                at / 1000,
                seconds,
                {
                    keys[number]: counters
                    for number, counters in unpack_work(packed, len(DIGEST_COUNTERS))
                    if number in keys
                },
            )
            for at, seconds, packed in found
        ]

    def statements(self, instance: str) -> Mapping[StatementKey, SeenStatement]:
        """See HistoryStore."""
        found = self._db.rows(
            "SELECT schema_name, digest, digest_text, first_seen, last_seen FROM statements WHERE instance_id = ?",
            (number_of(instance),),
        )
        return {
            (schema, digest): SeenStatement(schema, digest, text, first / 1000, last / 1000)
            for schema, digest, text, first, last in found
        }

    def changes(self, instance: str, start: float, end: float, kinds: Iterable[str] = ()) -> list[Change]:
        """See HistoryStore."""
        wanted = tuple(kinds)
        among = f" AND kind IN ({', '.join('?' * len(wanted))})" if wanted else ""
        found = self._db.rows(
            "SELECT at, since, kind, content FROM changes WHERE instance_id = ? AND at >= ? AND at < ?"  # noqa: S608
            f"{among} ORDER BY at DESC, change_id LIMIT {MOST_CHANGES}",
            (number_of(instance), _milliseconds(start), _milliseconds(end), *wanted),
        )
        return [
            Change(at / 1000, kind, json.loads(content), None if since is None else since / 1000)
            for at, since, kind, content in found
        ]

    def states(self, instance: str) -> Mapping[str, State]:
        """See HistoryStore."""
        found = self._db.rows("SELECT subject, at, content FROM states WHERE instance_id = ?", (number_of(instance),))
        return {subject: State(at / 1000, bytes(content)) for subject, at, content in found}

    def span(self, instance: str) -> tuple[float, float] | None:
        """See HistoryStore."""
        ends = [
            self._db.rows(
                "SELECT MIN(at), MAX(at) FROM samples WHERE instance_id = ? AND tier = ?",
                (number_of(instance), int(tier)),
            )[0]
            for tier in Tier
        ]
        known = [(oldest, newest) for oldest, newest in ends if oldest is not None]
        if not known:
            return None
        return min(oldest for oldest, _ in known) / 1000, max(newest for _, newest in known) / 1000

    def excerpt(self, instance: str, most_bytes: int) -> Excerpt:
        """See HistoryStore."""
        return take(self._db, instance, most_bytes)

    def instances(self) -> list[str]:
        """See HistoryStore."""
        return [name for (name,) in self._db.rows("SELECT name FROM instances ORDER BY name")]

    def roll_up(self, instance: str, now: float) -> None:
        """See HistoryStore."""
        for tier, period in SAMPLE_PERIODS.items():
            with self._db.transaction():
                self._roll_up_samples(instance, tier, period, now)
        for tier, period in WORK_PERIODS.items():
            with self._db.transaction():
                self._roll_up_work(instance, tier, period, now)

    def _roll_up_samples(self, instance: str, tier: Tier, period: float, now: float) -> None:
        start, end = self._unrolled("samples", instance, tier, period, now)
        width = _width(FINER[tier])
        periods: dict[tuple[float, int], list[tuple[float, ...]]] = {}
        for at, layout_id, packed in self._packed(instance, FINER[tier], start, end):
            periods.setdefault((at / 1000 // period * period, layout_id), []).append(unpack_values(packed))
        for (began, layout_id), rows in periods.items():
            layout = self._layouts[layout_id]
            values = dict(zip(layout, summarise(rows, width), strict=True))
            row = (number_of(instance), int(tier), _milliseconds(began), layout_id, pack_values(layout, values, 3))
            self._put("samples", [row])

    def _roll_up_work(self, instance: str, tier: Tier, period: float, now: float) -> None:
        start, end = self._unrolled("work", instance, tier, period, now)
        periods: dict[float, list[Work]] = {}
        for piece in self.work(instance, FINER[tier], start, end):
            periods.setdefault(piece.at // period, []).append(piece)
        totals = [total_work(max(piece.at for piece in pieces), pieces) for pieces in periods.values()]
        self._write_work(number_of(instance), tier, totals)

    def _unrolled(self, table: str, instance: str, tier: Tier, period: float, now: float) -> tuple[float, float]:
        """From the end of the last period that was rolled up to the start of the one that still goes on."""
        [(last,)] = self._db.rows(
            f"SELECT MAX(at) FROM {table} WHERE instance_id = ? AND tier = ?",  # noqa: S608 - fixed names
            (number_of(instance), int(tier)),
        )
        start = 0.0 if last is None else (last / 1000 // period + 1) * period
        return start, (now - SETTLE_SECONDS) // period * period

    def purge(self, instance: str, now: float) -> None:
        """See HistoryStore."""
        number = number_of(instance)
        with self._db.transaction():
            for table, spans in (("samples", self._retention.samples), ("work", self._retention.work)):
                for tier, span in spans.items():
                    self._db.execute(
                        f"DELETE FROM {table} WHERE instance_id = ? AND tier = ? AND at < ?",  # noqa: S608 - fixed names
                        (number, int(tier), _milliseconds(now - span)),
                    )
            for table, column, span in (
                ("statements", "last_seen", self._retention.statements),
                ("changes", "at", self._retention.changes),
            ):
                self._db.execute(
                    f"DELETE FROM {table} WHERE instance_id = ? AND {column} < ?",  # noqa: S608 - fixed names
                    (number, _milliseconds(now - span)),
                )

    def close(self) -> None:
        """See HistoryStore."""
        self._db.close()

    def _packed(self, instance: str, tier: Tier, start: float, end: float) -> list[tuple[int, int, bytes]]:
        found = self._db.rows(
            "SELECT at, layout_id, points FROM samples"
            " WHERE instance_id = ? AND tier = ? AND at >= ? AND at < ? ORDER BY at",
            _range(instance, tier, start, end),
        )
        if any(layout_id not in self._layouts for _, layout_id, _ in found):
            self._read_layouts()
        return [(at, layout_id, packed) for at, layout_id, packed in found]

    def _known_layouts(self, metric: str) -> dict[int, tuple[str, ...]]:
        self._read_layouts()
        return {number: layout for number, layout in self._layouts.items() if metric in layout}

    def _read_layouts(self) -> None:
        found = self._db.rows("SELECT layout_id, metrics FROM layouts")
        self._layouts |= {layout_id: tuple(json.loads(metrics)) for layout_id, metrics in found}


def _width(tier: Tier) -> int:
    return 1 if tier is Tier.RAW else 3


def _milliseconds(at: float) -> int:
    # No moment that a caller can name is beyond what the column holds.
    return round(max(-(2.0**62), min(2.0**62, at * 1000)))


def _range(instance: str, tier: Tier, start: float, end: float) -> tuple[int, int, int, int]:
    return number_of(instance), int(tier), _milliseconds(start), _milliseconds(end)


def _statement_id(key: StatementKey) -> int:
    return number_of(f"{key[0]}\n{key[1]}")


def _statement_row(instance: int, seen: SeenStatement) -> Params:
    times = (_milliseconds(seen.first_seen), _milliseconds(seen.last_seen))
    return (instance, _statement_id(seen.key), seen.schema, seen.digest, seen.text, *times)


def _change_row(instance: int, change: Change) -> Params:
    since = None if change.since is None else _milliseconds(change.since)
    content = json.dumps(dict(change.content))
    return (instance, _milliseconds(change.at), change.change_id, since, change.kind, content)


def _work_row(instance: int, tier: Tier, piece: Work) -> Params:
    done = pack_work((_statement_id(key), counters) for key, counters in piece.done.items())
    return (instance, int(tier), _milliseconds(piece.at), piece.seconds, done)
