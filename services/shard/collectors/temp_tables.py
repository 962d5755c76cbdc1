"""Internal temporary tables: how many, how many of them on disk, by which statements, against which limits."""

from __future__ import annotations

from services.shard.facts.growth import growth
from services.shard.history.ranges import asked_seconds
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text
from services.shard.work.digest_window import DigestDelta, deltas
from services.shard.work.system_statements import is_system
from storex.diagnostics.v1 import activity_pb2

DEFAULT_WINDOW, SHORTEST_WINDOW, LONGEST_WINDOW = 60.0, 1.0, 900.0
MOST_TOLD = 20
_CREATED, _ON_DISK = "Created_tmp_tables", "Created_tmp_disk_tables"
_OF_EACH = ("tmp_table_size", "tmp_memory_table_size", "max_heap_table_size")
"""Limits of one table in memory; `max_heap_table_size` holds for the engine MEMORY only."""
_LIMITS = (*_OF_EACH, "temptable_max_ram", "temptable_max_mmap", "max_tmp_session_space_usage", "sort_buffer_size")
_PICO = 1e12


async def get_temp_tables(
    view: InstanceView, request: activity_pb2.GetTempTablesRequest
) -> activity_pb2.GetTempTablesResponse:
    """Read the counters and the digests, and compare them with the samples from the window's start.

    Raises StorexError REQUEST_INVALID for a window out of its bounds.
    """
    began = view.clock.now()
    window = asked_seconds(request, "window", DEFAULT_WINDOW, shortest=SHORTEST_WINDOW, longest=LONGEST_WINDOW)
    results = await view.source.read(Statement.GLOBAL_STATUS, Statement.GLOBAL_VARIABLES, Statement.DIGESTS)
    grown = growth(view, results, window)
    variables = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    engine = variables.get("internal_tmp_mem_storage_engine", "MEMORY")
    sizes = [real(variables[name]) for name in _OF_EACH if name in variables and _holds(name, engine)]
    created, on_disk = grown.of(_CREATED), grown.of(_ON_DISK)
    return activity_pb2.GetTempTablesResponse(
        observation=view.observation(began, results),
        window_seconds=grown.seconds,
        created_per_second=grown.rate(_CREATED),
        on_disk_per_second=grown.rate(_ON_DISK),
        on_disk_ratio=round(min(1.0, on_disk / created), 4) if created else 0.0,
        memory_engine=engine,
        largest_in_memory_bytes=min(sizes, default=0.0),
        limits=[
            activity_pb2.TempTableLimit(variable=name, bytes=real(variables[name]))
            for name in _LIMITS
            if name in variables
        ],
        statements=_statements(view, results, window),
    )


def _holds(name: str, engine: str) -> bool:
    return name != "max_heap_table_size" or engine == "MEMORY"


def _statements(view: InstanceView, results: ResultSets, window: float) -> list[activity_pb2.TempTableStatement]:
    before = view.history.digests_before(view.clock.monotonic(), window)
    if before is None:
        return []
    found = []
    for delta in deltas(results.rows(Statement.DIGESTS), before.counters):
        known = view.texts.of_engine(delta.digest, delta.digest_text)
        if delta.counters["temp_tables"] + delta.counters["sort_merge_passes"] and not is_system(
            delta.schema, known.tables
        ):
            found.append(_statement(view, delta))
    found.sort(key=lambda one: (-one.temp_disk_tables, -one.temp_tables, one.statement.digest))
    return found[:MOST_TOLD]


def _statement(view: InstanceView, delta: DigestDelta) -> activity_pb2.TempTableStatement:
    counters = delta.counters
    return activity_pb2.TempTableStatement(
        statement=view.texts.of_engine(delta.digest, delta.digest_text).proto(),
        schema=delta.schema,
        calls=counters["calls"],
        temp_tables=counters["temp_tables"],
        temp_disk_tables=counters["temp_disk_tables"],
        sort_merge_passes=counters["sort_merge_passes"],
        total_seconds=round(counters["total_picoseconds"] / _PICO, 6),
    )
