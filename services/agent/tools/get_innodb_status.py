"""The tool `get_innodb_status`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import GetInnodbStatusRequest, GetInnodbStatusResponse


async def get_innodb_status(reach: Reach, name: str) -> GetInnodbStatusResponse:
    """The InnoDB monitor in typed fields: history list, log and checkpoint, buffer pool, queue, last deadlock.

    Use it for purge lag, flushing, deadlocks. Moderate: not more than once a question.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetInnodbStatus, GetInnodbStatusRequest(name=name))
