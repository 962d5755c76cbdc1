"""The buffer pool, and what had to be read from disk for want of room."""

from __future__ import annotations

from services.shard.facts.growth import COUNTER_STATEMENTS, Growth, growth
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text, whole
from storex.diagnostics.v1 import innodb_pb2

WINDOW = 6.0
"""How far back rates are measured, in seconds, where that much has been sampled."""
LONG_WINDOW = 600.0
"""How far back it is counted how often the pool's content was replaced, in seconds."""
VARIABLE = "innodb_buffer_pool_size"
_REQUESTS, _READS = "Innodb_buffer_pool_read_requests", "Innodb_buffer_pool_reads"


async def get_buffer_pool(
    view: InstanceView, _request: innodb_pb2.GetBufferPoolRequest
) -> innodb_pb2.GetBufferPoolResponse:
    """Read the pool's size, its counters, and the size of the data by its stored statistics."""
    began = view.clock.now()
    results = await view.source.read(Statement.GLOBAL_VARIABLES, Statement.TABLE_SIZES, *COUNTER_STATEMENTS)
    variables = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    grown = growth(view, results, WINDOW)
    response = innodb_pb2.GetBufferPoolResponse(
        observation=view.observation(began, results),
        variable=VARIABLE,
        size_bytes=whole(variables.get(VARIABLE)),
        data_bytes=sum(whole(row["data_bytes"]) for row in results.rows(Statement.TABLE_SIZES)),
        pages_total=int(grown.now.get("Innodb_buffer_pool_pages_total", 0.0)),
        pages_free=int(grown.now.get("Innodb_buffer_pool_pages_free", 0.0)),
        pages_dirty=int(grown.now.get("Innodb_buffer_pool_pages_dirty", 0.0)),
        uptime_seconds=grown.now.get("Uptime", 0.0),
        window_seconds=grown.seconds,
    )
    _add_rates(response, grown)
    longest = growth(view, results, LONG_WINDOW)
    if response.pages_total and longest.seconds:
        response.reads_since_full = round(longest.of(_READS) / response.pages_total, 3)
    return response


def _add_rates(response: innodb_pb2.GetBufferPoolResponse, grown: Growth) -> None:
    requests = grown.of(_REQUESTS)
    response.hit_ratio = round(max(0.0, 1.0 - grown.of(_READS) / requests), 6) if requests else 0.0
    response.requests_per_second = grown.rate(_REQUESTS)
    response.reads_per_second = grown.rate(_READS)
    response.read_ahead_per_second = grown.rate("Innodb_buffer_pool_read_ahead")
    response.waits_per_second = grown.rate("Innodb_buffer_pool_wait_free")
