"""Whether the owner of a session may still see what is in it: rights end, sessions stay."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from services.agent.reach import Reach
from services.agent.records import Record
from storex.fleet.v1.fleet_pb2 import GetInstanceRequest

_AT_ONCE = 16
_GONE = (Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED)


async def check_still_visible(records: Iterable[Record], reach: Reach) -> None:
    """Ask policy, through the coordinator, about every instance that the records hold data of.

    Raises StorexError SESSION_NOT_FOUND when one may not be seen any more, and whatever keeps it from being known.
    """
    names = {record.name for record in records if record.message is not None}
    gate = asyncio.Semaphore(_AT_ONCE)

    async def check(name: str) -> None:
        async with gate:
            await reach.call(reach.fleet.GetInstance, GetInstanceRequest(name=name))

    instances = sorted(name for name in names if parse_name(name, wildcards=True).instance not in (None, "-"))
    for outcome in await asyncio.gather(*(check(name) for name in instances), return_exceptions=True):
        if isinstance(outcome, StorexError) and outcome.reason in _GONE:
            raise StorexError(Reason.SESSION_NOT_FOUND)
        if isinstance(outcome, BaseException):
            raise outcome
