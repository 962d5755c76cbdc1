"""The statements that cost most over a window: from the engine's digests, or else from samples of the process list.

Storex's own statements and others that touch nothing but the engine's system schemas are left out.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator

from libs.core.paging import page_of
from services.shard.history.past_work import PastWork, past_work
from services.shard.mysql.programs import INSIDE
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import DigestKey, DigestSample, RunningStatement
from services.shard.sight.counting import COUNTING_STATEMENTS, uncounted_statements
from services.shard.view import InstanceView, text, timestamp, whole
from services.shard.work.digest_window import DigestDelta, cumulative, deltas, lost_work
from services.shard.work.joined_rows import joined_rows
from services.shard.work.running_work import RECENT, RunningWork, running_work
from services.shard.work.statement_texts import KnownStatement
from services.shard.work.system_statements import is_system
from services.shard.work.uncounted import prepared, table_full
from services.shard.work.work_changes import Change, Cost, unindexed_calls, work_change
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

DEFAULT_WINDOW = 60.0
"""The window when none is asked for, in seconds."""
SHORTEST_WINDOW = 1.0
"""Below this a window says little: where no more has been sampled yet, the collector waits for it, in seconds."""
KEPT_APART = 2.0
"""What was read for an answer is kept as a sample where the last one is older than this, in seconds."""
UNSEEN_CALL_LOAD = 0.25
"""Sessions busy in procedures whose statements nobody counts, which may hide one that matters."""
_CALLS = re.compile(r"\s*CALL\b", re.IGNORECASE)

_UNSAMPLED = entity_pb2.Limit(
    source="statement_digests",
    code="SAMPLED_ONLY",
    message="Statements were sampled once a second: times are estimates; calls and rows returned are not known.",
)
_PICO = 1e12
_LOCK_WAIT = "LOCK WAIT"
"""The state of a transaction that waits for a row lock."""


async def list_top_queries(
    view: InstanceView, request: diagnostics_pb2.ListTopQueriesRequest
) -> diagnostics_pb2.ListTopQueriesResponse:
    """Read the digests and compare them with the sample from the window's start; a past window is on record."""
    began = view.clock.now()
    window = request.window.ToTimedelta().total_seconds() if request.HasField("window") else DEFAULT_WINDOW
    window = min(max(window, SHORTEST_WINDOW), 86_400.0)
    if request.HasField("at"):
        past = await past_work(view, request, window)
        queries = _recorded(view, past)
        return _page(request, queries, past.seconds, view.observation(began, None, *past.limits))
    before = await _baseline(view, window)
    results = await view.source.read(Statement.DIGESTS, *COUNTING_STATEMENTS)
    now = view.clock.monotonic()
    if results.has(Statement.DIGESTS) and before is not None:
        measured = max(now - before.at, 1e-3)
        running = dict(running_work(view.history.activity, now, measured, await _in_lock_wait(view, now)))
        queries, limits = _counted(view, results, before, measured, running)
        limits += [*uncounted_statements(results), *prepared(view, results, before.at)]
        limits += _within_calls(queries, _counted_inside(results))
    else:
        queries, measured = _sampled(view, now, window)
        limits = [_UNSAMPLED]
    return _page(request, queries, measured, view.observation(began, results, *limits))


def _page(
    request: diagnostics_pb2.ListTopQueriesRequest,
    queries: list[diagnostics_pb2.QueryStats],
    measured: float,
    observation: session_pb2.Observation,
) -> diagnostics_pb2.ListTopQueriesResponse:
    queries.sort(key=lambda query: (-max(query.total_seconds, query.running_load * measured), query.statement.digest))
    page, token = page_of(queries, request.page_size, request.page_token, default=20, largest=200)
    return diagnostics_pb2.ListTopQueriesResponse(
        observation=observation, window_seconds=round(measured, 3), queries=page, next_page_token=token
    )


def _recorded(view: InstanceView, past: PastWork) -> list[diagnostics_pb2.QueryStats]:
    return [
        _stats(delta, view.texts.of_engine(delta.digest, delta.digest_text), max(past.seconds, 1e-3))
        for delta in past.deltas
    ]


async def _baseline(view: InstanceView, window: float) -> DigestSample | None:
    """The sample to compare with; where none is old enough, one that is made so by waiting."""
    before = view.history.digests_before(view.clock.monotonic(), window)
    if before is None:
        results = await view.source.read(Statement.DIGESTS)
        if not results.has(Statement.DIGESTS):
            return None
        before = DigestSample(view.clock.monotonic(), cumulative(results.rows(Statement.DIGESTS)))
        view.history.add_digests(before)
    age = view.clock.monotonic() - before.at
    if age < SHORTEST_WINDOW:
        await asyncio.sleep(SHORTEST_WINDOW - age)
    return before


async def _in_lock_wait(view: InstanceView, now: float) -> set[int]:
    """The connections that wait for a row lock, where anything runs for long: nothing else shows that of a read."""
    running = running_work(view.history.activity, now, SHORTEST_WINDOW + RECENT)
    if not any(work.is_long for work in running.values()):
        return set()
    results = await view.source.read(Statement.TRANSACTIONS)
    rows = results.rows(Statement.TRANSACTIONS)
    return {whole(row["connection_id"]) for row in rows if row["state"] == _LOCK_WAIT}


def _counted(
    view: InstanceView,
    results: ResultSets,
    before: DigestSample,
    measured: float,
    running: dict[DigestKey, RunningWork],
) -> tuple[list[diagnostics_pb2.QueryStats], list[entity_pb2.Limit]]:
    rows = results.rows(Statement.DIGESTS)
    rows_now, now = cumulative(rows, before.counters), view.clock.monotonic()
    # A slow server is sampled seldom. A world stays as it was: answers must not depend on what is asked beside them.
    if not view.snapshot and now - view.history.digests[-1].at >= KEPT_APART:
        view.history.add_digests(DigestSample(now, rows_now))
    grown = deltas(rows, before.counters)
    uncounted = results.capabilities.engine == "MariaDB"
    buffered = joined_rows(grown, view.history, before.at, measured) if uncounted else {}
    queries = []
    for delta in grown:
        known = view.texts.of_engine(delta.digest, delta.digest_text)
        if not is_system(delta.schema, known.tables):
            stats = _stats(delta, known, measured)
            stats.rows_estimated = buffered.get(delta.key, 0)
            stats.rows_examined += stats.rows_estimated
            change = work_change(view.history.digests, delta, rows_now[delta.key], now, joins_uncounted=uncounted)
            if change is not None:
                stats.work_change.CopyFrom(_work_change(change, view))
            if delta.key in running:
                running.pop(delta.key).add_to(stats)
            queries.append(stats)
    queries += [_not_ended(work) for key, work in running.items() if _is_told(key[0], work)]
    lost = lost_work(rows, before.counters)
    return queries, [*table_full(lost, measured)]


def _stats(delta: DigestDelta, known: KnownStatement, measured: float) -> diagnostics_pb2.QueryStats:
    counters = delta.counters
    total = counters["total_picoseconds"] / _PICO
    return diagnostics_pb2.QueryStats(
        statement=known.proto(),
        schema=delta.schema,
        tables=_qualified(known.tables, delta.schema),
        calls=counters["calls"],
        calls_per_second=round(counters["calls"] / measured, 3),
        total_seconds=round(total, 6),
        average_seconds=round(total / counters["calls"], 6),
        load=round(total / measured, 4),
        rows_examined=counters["rows_examined"],
        rows_sent=counters["rows_sent"],
        rows_affected=counters["rows_affected"],
        no_index_used=counters["no_index_used"],
        temp_disk_tables=counters["temp_disk_tables"],
        errors=counters["errors"],
        lock_seconds=round(counters["lock_picoseconds"] / _PICO, 6),
        temp_tables=counters["temp_tables"],
        sort_merge_passes=counters["sort_merge_passes"],
        full_joins=counters["full_joins"],
        full_scans=counters["full_scans"],
        unindexed_calls=unindexed_calls(counters),
    )


def _is_told(schema: str, work: RunningWork) -> bool:
    """Whether a statement none of whose calls has ended is one of applications, and has run for long."""
    return work.is_long and bool(work.statement.tables) and not is_system(schema, work.statement.tables)


def _not_ended(work: RunningWork) -> diagnostics_pb2.QueryStats:
    statement = work.statement
    stats = diagnostics_pb2.QueryStats(
        statement=session_pb2.Statement(digest=statement.digest, digest_text=statement.text),
        schema=statement.schema,
        tables=_qualified(statement.tables, statement.schema),
    )
    work.add_to(stats)
    return stats


def _work_change(change: Change, view: InstanceView) -> diagnostics_pb2.WorkChange:
    began = view.clock.now() - view.clock.monotonic()
    return diagnostics_pb2.WorkChange(
        changed_at=timestamp(began + change.at), before=_cost(change.before), after=_cost(change.after)
    )


def _cost(cost: Cost) -> diagnostics_pb2.CallCost:
    return diagnostics_pb2.CallCost(
        calls=cost.calls,
        average_seconds=round(cost.seconds, 6),
        rows_examined=round(cost.rows_examined, 3),
        rows_returned=round(cost.rows_returned, 3),
        unindexed_share=round(cost.unindexed_share, 4),
    )


def _qualified(tables: tuple[str, ...], schema: str) -> list[str]:
    return [table if "." in table or not schema else f"{schema}.{table}" for table in tables]


def _counted_inside(results: ResultSets) -> set[DigestKey]:
    """The CALLs whose counters have in them what their procedures ran."""
    rows = results.rows(Statement.DIGESTS)
    return {(text(row["schema_name"]), text(row["digest"])) for row in rows if row.get(INSIDE)}


def _within_calls(queries: list[diagnostics_pb2.QueryStats], counted: set[DigestKey]) -> Iterator[entity_pb2.Limit]:
    """What procedures run inside has no digest; where it is not counted either, a CALL has its time and no rows."""
    calls = [query for query in queries if _CALLS.match(query.statement.digest_text)]
    load = sum(query.load for query in calls if (query.schema, query.statement.digest) not in counted)
    if load >= UNSEEN_CALL_LOAD:
        yield entity_pb2.Limit(
            source="statement_digests",
            code="PROCEDURES_UNSEEN",
            message=f"Procedures keep {load:.2f} sessions busy; what they run inside is counted under no digest.",
            remedy="The running statements show what they are at.",
        )


def _sampled(view: InstanceView, now: float, window: float) -> tuple[list[diagnostics_pb2.QueryStats], float]:
    samples = [sample for sample in view.history.activity if sample.at >= now - window]
    if not samples:
        return [], 0.0
    measured = max(now - samples[0].at, 1.0)
    seen: dict[tuple[str, str], list[RunningStatement]] = defaultdict(list)
    for sample in samples:
        for running in sample.running:
            seen[(running.schema, running.digest)].append(running)
    queries = [
        _estimated(found, len(samples), measured)
        for (schema, _), found in seen.items()
        if not is_system(schema, found[0].tables)
    ]
    return queries, measured


def _estimated(found: list[RunningStatement], samples: int, measured: float) -> diagnostics_pb2.QueryStats:
    """Little's law: sessions seen in a statement, averaged over the samples, times the span is the time spent in it."""
    load = len(found) / samples
    examined = _rows_examined(found)
    return diagnostics_pb2.QueryStats(
        statement=session_pb2.Statement(digest=found[0].digest, digest_text=found[0].text),
        schema=found[0].schema,
        tables=_qualified(found[0].tables, found[0].schema),
        total_seconds=round(load * measured, 6),
        load=round(load, 4),
        rows_examined=examined,
    )


def _rows_examined(found: list[RunningStatement]) -> int:
    """The most rows that each execution was seen to have read, summed; an execution starts when its time falls."""
    most: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for running in found:
        executions = most[running.connection_id]
        rows = running.rows_examined or 0
        if executions and running.seconds >= executions[-1][0]:
            executions[-1] = (running.seconds, max(rows, executions[-1][1]))
        else:
            executions.append((running.seconds, rows))
    return sum(rows for executions in most.values() for _, rows in executions)
