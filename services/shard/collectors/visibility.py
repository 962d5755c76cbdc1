"""What can be seen of the instance: read anew each time, so that it tells at once what has been mended."""

from __future__ import annotations

from libs.core.errors import StorexError
from services.shard.facts.unreachable import limit_of
from services.shard.sight.conditions import CONDITION_STATEMENTS, account_of, conditions, unanswered
from services.shard.sight.spots import SIGHT_STATEMENTS, blind_spots
from services.shard.view import InstanceView
from storex.diagnostics.v1 import visibility_pb2


async def get_visibility(
    view: InstanceView, _request: visibility_pb2.GetVisibilityRequest
) -> visibility_pb2.GetVisibilityResponse:
    """Look again at everything that a blind spot can come from; a server that does not answer is a limit."""
    began = view.clock.now()
    try:
        results = await view.source.read_anew(*CONDITION_STATEMENTS, *SIGHT_STATEMENTS)
    except StorexError as error:
        known = view.source.capabilities
        return visibility_pb2.GetVisibilityResponse(
            observation=view.observation(began, None, limit_of(error)),
            engine=known.engine if known else "",
            version=known.version if known else "",
            conditions=unanswered(error),
        )
    return visibility_pb2.GetVisibilityResponse(
        observation=view.observation(began, results),
        engine=results.capabilities.engine,
        version=results.capabilities.version,
        account=account_of(results),
        blind_spots=blind_spots(results),
        conditions=conditions(
            results, began, view.clock.now(), reads_rows=view.explainer is not None and view.explainer.allowed
        ),
    )
