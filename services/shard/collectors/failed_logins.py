"""Logins that the server refused, and whose, where the engine keeps that."""

from __future__ import annotations

from itertools import pairwise

from services.shard.facts.growth import COUNTER_STATEMENTS, Growth, growth
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text, timestamp, whole
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import access_pb2

WINDOW = 15.0
"""How far back failures are counted, in seconds, where that much has been sampled."""
_REFUSALS = ("error_1044", "error_1045", "error_1698", "error_3118")
"""Database not allowed, wrong password or no such account, account that logs in without a password, locked account."""
_DENIED = "Access_denied_errors"
_UNKNOWN = entity_pb2.Limit(
    source="failed_logins",
    code="FAILED_LOGINS_UNNAMED",
    message="Refused logins are counted, but the engine does not keep which accounts they were for.",
    remedy="Look for 'Access denied' in the server's error log; userstat = ON counts them by the client's host.",
)


_UNCOUNTED = entity_pb2.Limit(
    source="failed_logins",
    code="FAILED_LOGINS_UNCOUNTED",
    message="Refused logins cannot be told from other connections that came to nothing.",
    remedy="Let performance_schema be on, and GRANT SELECT ON performance_schema.* to Storex's database account.",
)


async def get_failed_logins(
    view: InstanceView, _request: access_pb2.GetFailedLoginsRequest
) -> access_pb2.GetFailedLoginsResponse:
    """Read the counters of refused connections, and the refusals by account."""
    began = view.clock.now()
    results = await view.source.read(Statement.FAILED_LOGINS, *COUNTER_STATEMENTS)
    grown = growth(view, results, WINDOW)
    failed = _failed(grown)
    groups = [_group(row, began) for row in results.rows(Statement.FAILED_LOGINS)]
    return access_pb2.GetFailedLoginsResponse(
        observation=view.observation(began, results, *_limits(grown, failed, groups)),
        failed=int(failed),
        failed_per_second=round(failed / grown.seconds, 3) if grown.seconds else 0.0,
        attempts_per_second=grown.rate("Connections"),
        groups=sorted(groups, key=lambda group: (-group.last_failed_at.ToSeconds(), -group.failed)),
        seconds_with_failures=_share_with_failures(view),
        window_seconds=grown.seconds,
    )


def _limits(grown: Growth, failed: float, groups: list[access_pb2.FailedLoginGroup]) -> list[entity_pb2.Limit]:
    if not any(name in grown.now for name in (*_REFUSALS, _DENIED)):
        return [_UNCOUNTED]
    return [_UNKNOWN] if failed and not any(group.user for group in groups) else []


def _failed(grown: Growth) -> float:
    """Refused logins: of the connections that came to nothing, as many as were refused for lack of rights."""
    broken = grown.of("Aborted_connects")
    if any(grown.knows(name) for name in _REFUSALS):
        return min(broken, grown.of(*_REFUSALS))
    return min(broken, grown.of(_DENIED))


def _share_with_failures(view: InstanceView) -> float:
    since = view.clock.monotonic() - WINDOW
    counts = [one.values.get("Aborted_connects", 0.0) for one in view.history.status if one.at >= since]
    pairs = list(pairwise(counts))
    return round(sum(later > earlier for earlier, later in pairs) / len(pairs), 3) if pairs else 0.0


def _group(row: Row, now: float) -> access_pb2.FailedLoginGroup:
    group = access_pb2.FailedLoginGroup(user=text(row["user"]), host=text(row["host"]), failed=whole(row["failed"]))
    if row["seconds_ago"] is not None:
        group.last_failed_at.CopyFrom(timestamp(now - max(0.0, real(row["seconds_ago"]))))
    return group
