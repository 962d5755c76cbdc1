"""`lock.metadata`: a session keeps a table's metadata lock, a change of the table waits for it, and all others behind.

The holder is often a transaction that only read the table and was left open. It could also be a long statement, or a
change of the table that is itself at work.
"""

from __future__ import annotations

from services.shard.detectors.piles import PileKind, detect_piles
from services.shard.detectors.readings import Detection, Readings
from storex.diagnostics.v1 import diagnostics_pb2

KIND = "lock.metadata"
_PILE = PileKind(KIND, diagnostics_pb2.LOCK_KIND_METADATA, "metadata locks")


def detect(readings: Readings) -> Detection:
    """A finding for each holder of a metadata lock that others have waited for long enough."""
    return detect_piles(_PILE, readings)
