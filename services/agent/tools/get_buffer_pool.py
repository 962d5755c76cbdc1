"""The tool `get_buffer_pool`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.innodb_pb2 import GetBufferPoolRequest, GetBufferPoolResponse


async def get_buffer_pool(reach: Reach, name: str) -> GetBufferPoolResponse:
    """The buffer pool's size and hit ratio, and what has to be read from disk for want of room.

    Use it when reads are slow or the disk is busy. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetBufferPool, GetBufferPoolRequest(name=name))
