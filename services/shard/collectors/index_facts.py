"""What can be said of indexes: missing, unused and redundant ones, tables without a key, statistics out of date.

Each fact is what the engine counts, not advice: whether an index can go is for those to say who know what runs at the
end of the month, and what replicas run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from libs.core.paging import page_of
from services.shard.mysql.connection import Row
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text, timestamp, whole
from services.shard.work.table_work import TableWork, Work, table_work
from services.shard.work.work_changes import unindexed_calls
from storex.diagnostics.v1.indexes_pb2 import (
    INDEX_FACT_KIND_DUPLICATE,
    INDEX_FACT_KIND_MISSING,
    INDEX_FACT_KIND_NO_PRIMARY_KEY,
    INDEX_FACT_KIND_REDUNDANT,
    INDEX_FACT_KIND_STALE_STATISTICS,
    INDEX_FACT_KIND_UNUSED,
    IndexFact,
    IndexFactKind,
    ListIndexFactsRequest,
    ListIndexFactsResponse,
)

ROWS_PER_CALL, ROWS_PER_RESULT = 1_000, 100
"""A statement lacks an index when half of its calls use none, and each reads so many rows, for each that it returns."""
CHANGED_SHARE, CHANGED_ROWS = 0.2, 1_000
"""Statistics are out of date when more of the table than this share, and more rows than this, have changed since: the
engine itself makes them anew at a tenth, unless it is told not to."""

_STATEMENTS = (
    Statement.GLOBAL_STATUS,
    Statement.INSTRUMENTATION,
    Statement.INDEX_PARTS,
    Statement.IDLE_INDEXES,
    Statement.INDEX_SIZES,
    Statement.TABLE_STATISTICS,
    Statement.TABLE_MODIFICATIONS,
    Statement.KEYLESS_TABLES,
)
_TABLE_IO = "wait/io/table/sql/handler"
_IN_FILE_NAME = re.compile(r"@([0-9a-f]{4})")
_PARTITION = re.compile(r"#p#.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    is_unique: bool
    index_type: str
    columns: tuple[str, ...]


class _Tables:
    """What is stored of tables, by `schema.table`, partitions added up."""

    def __init__(self, results: ResultSets) -> None:
        self.rows: dict[str, int] = defaultdict(int)
        self.bytes: dict[str, int] = defaultdict(int)
        self.updated: dict[str, float] = {}
        self.index_bytes: dict[tuple[str, str], int] = defaultdict(int)
        self.changed: dict[str, int] = defaultdict(int)
        for row in results.rows(Statement.TABLE_STATISTICS):
            table, ago = _table(row), real(row["updated_seconds_ago"])
            self.rows[table] += whole(row["table_rows"])
            self.bytes[table] += whole(row["table_bytes"])
            self.updated[table] = max(ago, self.updated.get(table, 0.0))
        for row in results.rows(Statement.INDEX_SIZES):
            self.index_bytes[_table(row), text(row["index_name"])] += whole(row["index_bytes"])
        for row in results.rows(Statement.TABLE_MODIFICATIONS):
            self.changed[_of_file(text(row["file_name"]))] += whole(row["rows_changed"])

    def about(self, kind: IndexFactKind.ValueType, table: str, work: Work, index: _Index | None = None) -> IndexFact:
        """A fact with what is known of its table and index."""
        return IndexFact(
            kind=kind,
            table=table,
            index=index.name if index else "",
            columns=index.columns if index else (),
            index_bytes=self.index_bytes.get((table, index.name), 0) if index else 0,
            table_bytes=self.bytes.get(table, 0),
            rows=self.rows.get(table, 0),
            load=round(work.load_of(table), 4),
        )


async def list_index_facts(view: InstanceView, request: ListIndexFactsRequest) -> ListIndexFactsResponse:
    """Read the definitions, uses and statistics of indexes, and the statements that ran on their tables."""
    began = view.clock.now()
    results = await view.source.read(*_STATEMENTS)
    work, tables = table_work(view), _Tables(results)
    indexes = _indexes(results)
    facts = [
        *_missing(work, tables),
        *_unused(results, indexes, tables, work),
        *_redundant(indexes, tables, work),
        *(tables.about(INDEX_FACT_KIND_NO_PRIMARY_KEY, _table(row), work) for row in _keyless(results)),
        *_stale(tables, work, began),
    ]
    if work.seconds and not request.include_idle_tables:
        facts = [fact for fact in facts if fact.load > 0.0]
    facts.sort(key=lambda fact: (fact.kind, -fact.load, -fact.index_bytes, -fact.table_bytes, fact.table, fact.index))
    page, token = page_of(facts, request.page_size, request.page_token, default=100, largest=1000)
    status = {text(row["variable_name"]): row["value"] for row in results.rows(Statement.GLOBAL_STATUS)}
    return ListIndexFactsResponse(
        observation=view.observation(began, results),
        facts=page,
        next_page_token=token,
        window_seconds=work.seconds,
        counted_seconds=real(status.get("Uptime")),
    )


def _keyless(results: ResultSets) -> list[Row]:
    return results.rows(Statement.KEYLESS_TABLES)


def _table(row: Row) -> str:
    return f"{text(row['schema_name'])}.{_PARTITION.sub('', text(row['table_name']))}"


def _of_file(name: str) -> str:
    """The table of a file: characters that a file's name may not hold are written as `@` and four digits."""
    schema, _, table = name.partition("/")
    plain = (_IN_FILE_NAME.sub(lambda found: chr(int(found[1], 16)), part) for part in (schema, table))
    return ".".join(_PARTITION.sub("", part) for part in plain)


def _indexes(results: ResultSets) -> dict[str, list[_Index]]:
    found: dict[str, list[_Index]] = defaultdict(list)
    for row in results.rows(Statement.INDEX_PARTS):
        columns = tuple(text(row["parts"]).split("\n"))
        index = _Index(text(row["index_name"]), bool(whole(row["is_unique"])), text(row["index_type"]), columns)
        found[_table(row)].append(index)
    return found


def _missing(work: Work, tables: _Tables) -> Iterator[IndexFact]:
    for one in work.statements:
        calls, unindexed = one.counters["calls"], unindexed_calls(one.counters)
        if not _lacks_index(one, calls, unindexed):
            continue
        # Of several tables the largest is the one whose index would help most.
        fact = tables.about(INDEX_FACT_KIND_MISSING, max(one.tables, key=lambda name: tables.rows.get(name, 0)), work)
        fact.statement.CopyFrom(one.statement.proto())
        fact.rows_examined_per_call = round(one.counters["rows_examined"] / calls, 1)
        fact.unindexed_calls = unindexed
        yield fact


def _lacks_index(one: TableWork, calls: int, unindexed: int) -> bool:
    results = max(1, one.counters["rows_sent"] + one.counters["rows_affected"])
    examined = one.counters["rows_examined"]
    return 2 * unindexed >= calls and examined >= ROWS_PER_CALL * calls and examined >= ROWS_PER_RESULT * results


def _unused(
    results: ResultSets, indexes: Mapping[str, list[_Index]], tables: _Tables, work: Work
) -> Iterator[IndexFact]:
    """Not those that enforce something; and none where the engine does not count."""
    instruments = {text(row["name"]): whole(row["enabled"]) for row in results.rows(Statement.INSTRUMENTATION)}
    if not instruments.get(_TABLE_IO, 1):
        return
    idle = {(_table(row), text(row["index_name"])) for row in results.rows(Statement.IDLE_INDEXES)}
    for table, found in indexes.items():
        for index in found:
            if (table, index.name) in idle and not index.is_unique:
                yield tables.about(INDEX_FACT_KIND_UNUSED, table, work, index)


def _redundant(indexes: Mapping[str, list[_Index]], tables: _Tables, work: Work) -> Iterator[IndexFact]:
    for table, found in indexes.items():
        for index in found:
            other = _covering(index, found)
            if other is not None:
                same = other.columns == index.columns
                kind = INDEX_FACT_KIND_DUPLICATE if same else INDEX_FACT_KIND_REDUNDANT
                fact = tables.about(kind, table, work, index)
                fact.covered_by = other.name
                yield fact


def _covering(index: _Index, found: list[_Index]) -> _Index | None:
    """Another index that does all that this one does; of two alike the one that comes later is the one too many."""
    if index.name == "PRIMARY" or index.index_type != "BTREE":
        return None
    for other in found:
        if other is index or other.index_type != "BTREE" or other.columns[: len(index.columns)] != index.columns:
            continue
        same = other.columns == index.columns
        if index.is_unique and not (same and other.is_unique):
            continue
        alike = same and index.is_unique == other.is_unique and other.name != "PRIMARY"
        if not alike or other.name < index.name:
            return other
    return None


def _stale(tables: _Tables, work: Work, now: float) -> Iterator[IndexFact]:
    for table, changed in tables.changed.items():
        rows = tables.rows.get(table, 0)
        if table in tables.updated and changed >= CHANGED_ROWS and changed > CHANGED_SHARE * rows:
            fact = tables.about(INDEX_FACT_KIND_STALE_STATISTICS, table, work)
            fact.statistics_at.CopyFrom(timestamp(now - max(0.0, tables.updated[table])))
            fact.rows_changed_since = changed
            yield fact
