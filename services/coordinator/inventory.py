"""Keeps the directory current, by asking each shard what it has, in the coordinator's own name."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from google.protobuf.message import DecodeError

from libs.core.errors import StorexError
from libs.core.names import ResourceName
from services.coordinator.directory import FleetDirectory
from services.coordinator.upstream import Upstream
from storex.fleet.v1 import fleet_pb2

REFRESH_SECONDS = 2.0
FIRST_RETRY_SECONDS = 0.25
"""Until a shard has answered once; at start it is often only a moment behind."""

_METHOD = "/storex.fleet.v1.FleetService/StreamInstances"
_TIMEOUT_SECONDS = 5.0

_log = logging.getLogger(__name__)


class InventoryRefresh:
    """Reads one region's inventory over and over."""

    def __init__(self, region: str, shard: Upstream, directory: FleetDirectory) -> None:
        self._region = region
        self._shard = shard
        self._directory = directory
        self._reachable: bool | None = None
        self.tried = asyncio.Event()
        """Set once the shard was asked for the first time, whatever came of it."""

    async def run(self) -> None:
        """Refresh until cancelled."""
        answered = False
        while True:
            answered = await self.refresh() or answered
            self.tried.set()
            await asyncio.sleep(REFRESH_SECONDS if answered else FIRST_RETRY_SECONDS)

    async def refresh(self) -> bool:
        """Ask once; whether the shard answered."""
        try:
            self._directory.replace(self._region, await self._read())
        except (StorexError, DecodeError) as error:
            self._directory.mark_unreachable(self._region)
            self._note(reachable=False, cause=str(error) if isinstance(error, StorexError) else "unreadable answer")
            return False
        self._note(reachable=True)
        return True

    async def _read(self) -> list[fleet_pb2.Instance]:
        request = fleet_pb2.StreamInstancesRequest(name=str(ResourceName(self._region))).SerializeToString()
        instances = []
        async with aclosing(self._shard.own_stream(_METHOD, request, _TIMEOUT_SECONDS)) as messages:
            async for message in messages:
                instances.append(fleet_pb2.StreamInstancesResponse.FromString(message).instance)
        return instances

    def _note(self, *, reachable: bool, cause: str = "") -> None:
        if reachable != self._reachable:
            fields = {"region": self._region, "cause": cause}
            _log.log(
                logging.INFO if reachable else logging.WARNING,
                "shard answers" if reachable else "shard does not answer",
                extra={"fields": fields},
            )
        self._reachable = reachable
