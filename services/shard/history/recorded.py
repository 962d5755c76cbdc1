"""The archive behind an instance, and what to tell of it when it cannot record."""

from __future__ import annotations

from libs.core.errors import Reason, StorexError
from services.shard.view import InstanceView, Memory
from storex.common.v1 import entity_pb2


def archive_of(view: InstanceView) -> Memory:
    """The region's archive. Raises StorexError STORE_UNAVAILABLE where the shard has none."""
    if view.archive is None:
        raise StorexError(Reason.STORE_UNAVAILABLE)
    return view.archive


def recording_limits(archive: Memory) -> list[entity_pb2.Limit]:
    """That nothing is recorded at the moment, if so: what is on record can be read, and ends before now.

    And of a recorded archive, what of the question was not captured: ask for this last.
    """
    failure = archive.failure
    if failure is None:
        return archive.limits()
    message, _, remedy = failure.public_message.partition(". ")
    return [
        entity_pb2.Limit(source="history", code=failure.reason.name, message=f"{message}.", remedy=remedy),
        *archive.limits(),
    ]


def rounded(value: float) -> float:
    """A measured value to six figures: more would only be noise."""
    return float(f"{value:.6g}")
