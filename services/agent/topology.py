"""Which instance a replica takes its changes from: observed on both sides, and matched only among what was listed.

The agent lists instances with the asker's rights: a source that they may not see is not found here, and is not named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.agent.records import Record, Records
from storex.diagnostics.v1.replication_pb2 import GetReplicationResponse, ReplicationChannel
from storex.fleet.v1 import fleet_pb2


@dataclass(frozen=True, slots=True)
class Followed:
    """A channel of a replica, at `place` of its answer, and what shows which instance is at its other end.

    `listed` is None where no listed instance is. `matched` is the field of the instance that agrees with the channel's.
    """

    replication: Record
    place: int
    channel: ReplicationChannel
    listed: Record | None = None
    matched: str = ""

    @property
    def replica(self) -> str:
        """The replica's name."""
        return self.replication.name

    @property
    def source(self) -> str:
        """The source's name, empty where it is not known."""
        return self.listed.name if self.listed is not None else ""

    @property
    def channel_path(self) -> str:
        """Where in the replica's answer the value stands that the instance agrees with."""
        return f"channels[{self.place}].{_PAIRS.get(self.matched, 'source_port')}"


_PAIRS = {"server_uuid": "source_server_uuid", "port": "source_port"}


def followed(records: Records) -> list[Followed]:
    """Every channel of the newest answers about replication, with its source where that is known."""
    newest = {record.name: record for record in records if isinstance(record.message, GetReplicationResponse)}
    listed = list(_listed(records))
    return [
        _followed(record, place, channel, listed)
        for record in newest.values()
        if isinstance(record.message, GetReplicationResponse)
        for place, channel in enumerate(record.message.channels)
    ]


def _listed(records: Records) -> Iterator[tuple[Record, fleet_pb2.Instance]]:
    newest = {
        record.name: record for record in records if isinstance(record.message, fleet_pb2.StreamInstancesResponse)
    }
    for record in newest.values():
        if isinstance(record.message, fleet_pb2.StreamInstancesResponse) and record.message.HasField("instance"):
            yield record, record.message.instance


def _followed(
    record: Record, place: int, channel: ReplicationChannel, listed: list[tuple[Record, fleet_pb2.Instance]]
) -> Followed:
    fitting = [(one, by) for one, instance in listed if one.name != record.name and (by := _agrees(channel, instance))]
    # Two that fit are two that cannot be told apart: neither is blamed.
    one, by = fitting[0] if len(fitting) == 1 else (None, "")
    return Followed(record, place, channel, one, by)


def _agrees(channel: ReplicationChannel, instance: fleet_pb2.Instance) -> str:
    """The field by which an instance is the channel's source, or empty: by its uuid, else by address and server id.

    A server id alone says little: many fleets number each pair of servers anew.
    """
    if channel.source_server_uuid and instance.server_uuid:
        return "server_uuid" if channel.source_server_uuid == instance.server_uuid else ""
    known = channel.source_server_id and instance.server_id
    if known and channel.source_server_id != instance.server_id:
        return ""
    address = (channel.source_host, channel.source_port)
    return "port" if all(address) and address == (instance.host, instance.port) else ""
