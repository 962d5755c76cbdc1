"""The instance in a few numbers; answers in part even where the server does not answer at all."""

from __future__ import annotations

from libs.core.errors import StorexError
from services.shard.facts.growth import status_of
from services.shard.facts.unreachable import limit_of
from services.shard.mysql.connection import Row
from services.shard.mysql.features import Capabilities, Feature
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sight.spots import SIGHT_STATEMENTS, blind_spots
from services.shard.view import InstanceView, real, text, whole
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2

RATE_WINDOW = 10.0
"""The span that rates are measured over, in seconds, where that many have been sampled."""


async def get_overview(
    view: InstanceView, _request: diagnostics_pb2.GetOverviewRequest
) -> diagnostics_pb2.GetOverviewResponse:
    """Read SERVER, GLOBAL_STATUS, REPLICA_STATUS and what bounds sight; a server that does not answer is a limit."""
    began = view.clock.now()
    try:
        results = await view.source.read(Statement.SERVER, Statement.REPLICA_STATUS, *SIGHT_STATEMENTS)
    except StorexError as error:
        return _unanswered(view, began, error)
    status = status_of(results)
    response = diagnostics_pb2.GetOverviewResponse(
        observation=view.observation(began, results, *_other_gaps(results)),
        engine=results.capabilities.engine,
        version=results.capabilities.version,
        uptime_seconds=real(status.get("Uptime")),
        is_replica=bool(results.rows(Statement.REPLICA_STATUS)),
        threads_connected=whole(status.get("Threads_connected")),
        threads_running=whole(status.get("Threads_running")),
        row_lock_current_waits=whole(status.get("Innodb_row_lock_current_waits")),
        history_list_length=whole(status.get("Innodb_history_list_length")),
        capabilities=_capabilities(results.capabilities),
        blind_spots=blind_spots(results),
    )
    for row in results.rows(Statement.SERVER)[:1]:
        _add_settings(response, row)
    _add_rates(response, view, status)
    return response


def _add_settings(response: diagnostics_pb2.GetOverviewResponse, row: Row) -> None:
    # NO_LOCK and the like are newer words for "on".
    response.read_only = text(row["read_only"]).upper() not in ("0", "OFF", "")
    response.max_connections = whole(row["max_connections"])


def _add_rates(response: diagnostics_pb2.GetOverviewResponse, view: InstanceView, status: dict[str, object]) -> None:
    now = view.clock.monotonic()
    before = view.history.status_before(now, RATE_WINDOW)
    if before is None or now - before.at < 0.5:
        return
    response.window_seconds = round(now - before.at, 3)

    def growth(counter: str) -> float:
        return max(0.0, real(status.get(counter)) - before.values.get(counter, 0.0))

    response.queries_per_second = round(growth("Questions") / response.window_seconds, 3)
    requests = growth("Innodb_buffer_pool_read_requests")
    if requests > 0:
        response.buffer_pool_hit_ratio = round(max(0.0, 1.0 - growth("Innodb_buffer_pool_reads") / requests), 6)


def _capabilities(capabilities: Capabilities) -> list[diagnostics_pb2.Capability]:
    return [
        diagnostics_pb2.Capability(capability=feature.value, available=capabilities.has(feature)) for feature in Feature
    ]


def _other_gaps(results: ResultSets) -> list[entity_pb2.Limit]:
    """All gaps of this server, not only those of the statements read here: the overview is where people look."""
    told = {(limit.source, limit.code) for limit in results.limits()}
    return [gap.limit() for gap in results.capabilities.gaps() if (gap.source, gap.code) not in told]


def _unanswered(view: InstanceView, began: float, error: StorexError) -> diagnostics_pb2.GetOverviewResponse:
    known = view.source.capabilities
    return diagnostics_pb2.GetOverviewResponse(
        observation=view.observation(began, None, limit_of(error)),
        engine=known.engine if known else "",
        version=known.version if known else "",
    )
