"""Keeps checks honest: one that could not look was not made, and tells what would mend that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from services.shard.detectors.readings import Detection, Detector, Readings
from storex.common.v1 import entity_pb2

_NO_ROW_LOCKS = ("row_locks", "ROW_LOCKS_UNSEEN")
_STATEMENTS = (
    ("statement_digests", "STATEMENTS_UNSEEN"),
    ("statement_digests", "DIGEST_TEXT_OFF"),
    ("statement_digests", "STATEMENT_INSTRUMENTS_OFF"),
    ("statement_digests", "SESSIONS_NOT_INSTRUMENTED"),
    ("statement_digests", "PREPARED_UNSEEN"),
    ("statement_digests", "PROCEDURES_UNSEEN"),
)

BLINDED_BY: dict[str, tuple[tuple[str, str], ...]] = {
    "lock.row_blocker": (_NO_ROW_LOCKS,),
    "lock.hot_row": (_NO_ROW_LOCKS,),
    "lock.unindexed_write": (_NO_ROW_LOCKS, *_STATEMENTS),
    "lock.deadlock": (("innodb_counters", "DEADLOCKS_UNCOUNTED"),),
    "query.missing_index": _STATEMENTS,
    "query.plan_regression": _STATEMENTS,
    "query.temp_spill": _STATEMENTS,
    "query.heavy_scan": _STATEMENTS,
    "traffic.n_plus_one": _STATEMENTS,
    "traffic.retry_storm": _STATEMENTS,
    "config.change": (("settings", "SETTINGS_UNSEEN"),),
}
"""By cause, source and code of the limits under which finding nothing says nothing."""


def honest(detector: Detector, detection: Detection, readings: Readings) -> Detection:
    """The detection, as not checked where its tools could not see what it looks for; then with what mends that."""
    if detection.findings:
        return detection
    limits = list(_limits(detector, readings))
    blinding = [limit for limit in limits if (limit.source, limit.code) in BLINDED_BY.get(detector.kind, ())]
    if blinding:
        reason = " ".join(dict.fromkeys(limit.message for limit in blinding))
        return replace(detection, not_checked=True, reason=_with_remedies(reason, blinding))
    if detection.not_checked and not detection.look_again:
        return replace(detection, reason=_with_remedies(detection.reason, limits))
    return detection


def _limits(detector: Detector, readings: Readings) -> Iterable[entity_pb2.Limit]:
    for tool in detector.tools:
        if tool in readings.answers:
            yield from getattr(readings.answers[tool], "observation").limits  # noqa: B009 - every answer has one


def _with_remedies(reason: str, limits: Iterable[entity_pb2.Limit]) -> str:
    remedies = dict.fromkeys(limit.remedy for limit in limits if limit.remedy)
    return " ".join([reason, *(remedy for remedy in remedies if remedy not in reason)])
