"""`lock.global_read`: a session holds the global read lock or a backup lock, and every write waits.

The holder is often a backup whose script went on without giving the lock back.
"""

from __future__ import annotations

from services.shard.detectors.piles import PileKind, detect_piles
from services.shard.detectors.readings import Detection, Readings
from storex.diagnostics.v1 import diagnostics_pb2

KIND = "lock.global_read"
_PILE = PileKind(KIND, diagnostics_pb2.LOCK_KIND_GLOBAL, "the global read lock or a backup lock")


def detect(readings: Readings) -> Detection:
    """A finding for each holder of such a lock that others have waited for long enough."""
    return detect_piles(_PILE, readings)
