"""The RPCs of SnapshotService: decode, one call, encode."""

from __future__ import annotations

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name
from libs.core.paging import page_of
from libs.rpc.interceptors.base import Context, this_call
from services.shard.instances import Instances
from services.shard.view import timestamp
from services.shard.worlds.by_itself import ByItself
from services.shard.worlds.recording import record
from services.shard.worlds.store import Kept
from services.shard.worlds.worlds import Worlds
from storex.common.v1 import entity_pb2
from storex.snapshot.v1 import snapshot_pb2, snapshot_pb2_grpc


class SnapshotServicer(snapshot_pb2_grpc.SnapshotServiceServicer):
    """Snapshots of a region's instances."""

    def __init__(self, worlds: Worlds, instances: Instances, by_itself: ByItself) -> None:
        self._worlds = worlds
        self._instances = instances
        self._by_itself = by_itself

    async def CreateSnapshot(
        self, request: snapshot_pb2.CreateSnapshotRequest, _context: Context
    ) -> snapshot_pb2.CreateSnapshotResponse:
        """See the contract."""
        by_itself = request.trigger == snapshot_pb2.SNAPSHOT_TRIGGER_INVESTIGATION
        if by_itself and not self._worlds.settings.snapshots.after_investigation:
            raise StorexError(Reason.SNAPSHOT_NOT_ENABLED, setting="snapshots: {after_investigation: true}")
        instance = self._instances.named(request.name)
        if by_itself:
            kept = await self._by_itself.make(instance, request.trigger)
        else:
            kept = await record(self._worlds, self._instances, instance, snapshot_pb2.SNAPSHOT_TRIGGER_DEMAND)
        return snapshot_pb2.CreateSnapshotResponse(snapshot=self._told(kept))

    async def GetSnapshot(
        self, request: snapshot_pb2.GetSnapshotRequest, _context: Context
    ) -> snapshot_pb2.GetSnapshotResponse:
        """See the contract."""
        return snapshot_pb2.GetSnapshotResponse(snapshot=self._told(self._worlds.get(_snapshot(request.name))))

    async def ListSnapshots(
        self, request: snapshot_pb2.ListSnapshotsRequest, _context: Context
    ) -> snapshot_pb2.ListSnapshotsResponse:
        """See the contract."""
        seen = {str(resource.name) for resource in this_call().resources}
        found = [kept for kept in self._worlds.kept() if str(kept.header.resource_name.instance_name) in seen]
        page, token = page_of(found, request.page_size, request.page_token, default=100, largest=1000)
        return snapshot_pb2.ListSnapshotsResponse(snapshots=[self._told(kept) for kept in page], next_page_token=token)

    async def DeleteSnapshot(
        self, request: snapshot_pb2.DeleteSnapshotRequest, _context: Context
    ) -> snapshot_pb2.DeleteSnapshotResponse:
        """See the contract."""
        await self._worlds.delete(_snapshot(request.name))
        return snapshot_pb2.DeleteSnapshotResponse()

    async def ExportSnapshot(
        self, request: snapshot_pb2.ExportSnapshotRequest, _context: Context
    ) -> snapshot_pb2.ExportSnapshotResponse:
        """See the contract."""
        file_name, size = await self._worlds.export(_snapshot(request.name), plain=request.plain)
        return snapshot_pb2.ExportSnapshotResponse(file_name=file_name, size_bytes=size)

    async def ImportSnapshot(
        self, request: snapshot_pb2.ImportSnapshotRequest, _context: Context
    ) -> snapshot_pb2.ImportSnapshotResponse:
        """See the contract."""
        name = self._instances.named(request.name).view.name
        return snapshot_pb2.ImportSnapshotResponse(
            snapshot=self._told(await self._worlds.take_in(name, request.file_name))
        )

    def _told(self, kept: Kept) -> snapshot_pb2.Snapshot:
        header = kept.header
        told = snapshot_pb2.Snapshot(
            name=header.name,
            captured_at=timestamp(header.captured_at),
            took_seconds=header.took_seconds,
            trigger=header.trigger,
            engine=header.engine,
            version=header.version,
            instances=header.instances,
            limits=[entity_pb2.Limit(**limit) for limit in header.limits],
            size_bytes=kept.size,
            sha256=header.sha256,
            format_version=header.format_version,
            key_id=kept.key_id,
            expires_at=timestamp(self._worlds.expires_at(kept)),
        )
        if header.history_start is not None:
            told.history_start.CopyFrom(timestamp(header.history_start))
        return told


def _snapshot(name: str) -> ResourceName:
    found = parse_name(name, snapshots=True)
    if found.snapshot is None:
        raise StorexError(Reason.NAME_INVALID)
    return found
