"""`make bench BENCH=hidden`: whether the time that a refusal takes tells what is hidden from what is not there.

The two kinds of name take turns, so that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc

from libs.rpc.call import Metadata, outgoing_metadata
from tests.bench.mesh import BenchMesh, running_mesh
from tests.bench.rows import Row, percentile

CALLS = 1000
WARM_UP_CALLS = 100
MOST = 1.1
"""A median may be so many times the other."""

_METHODS = {
    "instance": ("/storex.fleet.v1.FleetService/GetInstance", "regions/eu-west-1/instances/{}"),
    "collector": ("/storex.diagnostics.v1.DiagnosticsService/GetOverview", "regions/eu-west-1/instances/{}"),
}
_HIDDEN, _ABSENT = "orders-1", "orders-7"


class TellingTimesError(AssertionError):
    """Hidden and absent names can be told apart by a clock."""


def run() -> list[Row]:
    """Measure at the coordinator and at a shard. Raises TellingTimesError where the medians are too far apart."""
    with running_mesh() as mesh:
        rows = asyncio.run(_measure(mesh))
    telling = [row.name for row in rows if row.ratio is not None and not 1 / MOST <= row.ratio <= MOST]
    if telling:
        raise TellingTimesError(f"Medians more than 10 % apart: {', '.join(telling)}")
    return rows


async def _measure(mesh: BenchMesh) -> list[Row]:
    user = mesh.issuer.issue_user("olaf", ("payments",), ("on-call",))
    doors = {
        "coordinator": outgoing_metadata(authorization=user),
        "shard-eu-west-1": outgoing_metadata(authorization=user, relay=mesh.issuer.issue_service("coordinator")),
    }
    rows = []
    for door, metadata in doors.items():
        async with grpc.aio.insecure_channel(mesh.address_of(door)) as channel:
            for kind, (method, pattern) in _METHODS.items():
                hidden, absent = await _taking_turns(channel, method, pattern, metadata)
                rows.append(Row(f"hidden.{door.partition('-')[0]}.{kind}.p50", hidden, "µs", absent))
    return rows


async def _taking_turns(
    channel: grpc.aio.Channel, method: str, pattern: str, metadata: Metadata
) -> tuple[float, float]:
    """Medians in microseconds: of calls to a hidden name, and to one that does not exist."""
    call: Any = channel.unary_unary(method)
    seconds: dict[str, list[float]] = {_HIDDEN: [], _ABSENT: []}
    for number in range(WARM_UP_CALLS + CALLS):
        for name in (_HIDDEN, _ABSENT) if number % 2 else (_ABSENT, _HIDDEN):
            encoded = pattern.format(name).encode()
            started = time.perf_counter()
            try:
                await call(b"\x0a" + bytes([len(encoded)]) + encoded, metadata=metadata, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
            else:
                raise TellingTimesError(f"{name} was answered")
            if number >= WARM_UP_CALLS:
                seconds[name].append(time.perf_counter() - started)
    return percentile(seconds[_HIDDEN], 0.5) * 1e6, percentile(seconds[_ABSENT], 0.5) * 1e6
