"""What was read of one instance, tool by tool, and what the detectors make of it, from one look to the next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from google.protobuf.message import Message

from libs.core.errors import StorexError
from services.shard.detectors.readings import Detection, Detector, Readings
from services.shard.mysql.shared import SharedSource
from services.shard.verdict.health import (
    LONGEST_LOOK,
    Outcome,
    collect,
    detect,
    health_of,
    observed,
    readings_of,
    tools_of,
)
from services.shard.view import InstanceView
from services.shard.watch.cadence import Cadence
from services.shard.watch.turns import Turns, TurnSource
from storex.diagnostics.v1 import diagnostics_pb2

HOLD = 3.0
"""A finding stands for so long while its detector cannot decide whether it is still there, in seconds."""

log = logging.getLogger(__name__)


class Looks:
    """Looks at one instance again and again; what is not due is known from an earlier look."""

    def __init__(self, view: InstanceView, detectors: Sequence[Detector]) -> None:
        self._view = view
        self._detectors = detectors
        self._tools = tools_of(detectors)
        self._cadence = Cadence()
        self._outcomes: dict[str, Outcome] = {}
        self._before: dict[str, Message] = {}
        """Each tool's answer before the one that is known now."""
        self._readings: Readings | None = None
        self._detections: dict[str, Detection] = {}
        self._found_at: dict[str, float] = {}
        self._judged_at: dict[str, float] = {}
        self._undecided_since: dict[str, float] = {}
        self.failure: StorexError | None = None
        """Why the server did not answer the last look."""
        self.seconds = 0.0
        """How long the readings of the last look took."""

    async def look(
        self, labels: Mapping[str, str], *, asked: bool, pressing: bool = False
    ) -> diagnostics_pb2.InstanceHealth:
        """Read what is due, and judge it anew; `asked` and `pressing` as in `Cadence.is_due`."""
        clock = self._view.clock
        began, at = clock.now(), clock.monotonic()
        eager = set(tools_of([one for one in self._detectors if self._may_decide(one, at)]))
        due = [
            tool
            for tool in self._tools
            if tool in eager or self._cadence.is_due(tool, at, asked=asked, pressing=pressing)
        ]
        read = await self._read(due)
        last = self._readings
        previous = None if last is None else replace(last, answers=dict(self._before), failures={}, previous=None)
        self._readings = readings_of(self._view, self._outcomes, previous)
        for detector in self._detectors:
            if detector.kind not in self._detections or not read.isdisjoint(detector.tools):
                self._judge(detector, self._readings)
        return health_of(self._view, began, self._readings, self._detections, self._detectors, labels)

    def is_stale(self) -> bool:
        """Whether somebody who asks now should wait for another look."""
        now = self._view.clock.monotonic()
        return any(self._cadence.is_stale(tool, now) for tool in self._tools)

    def is_read_since(self, at: float) -> bool:
        """Whether every tool that is not dear was read from that moment of the monotonic clock on."""
        return all(self._cadence.is_read_since(tool, at) for tool in self._tools)

    @property
    def look_again(self) -> float:
        """After how many seconds another look may decide something; 0 where nothing is undecided, or for too long."""
        now = self._view.clock.monotonic()
        pauses = [self._detections[one.kind].look_again for one in self._detectors if self._is_undecided(one, now)]
        return max(pauses, default=0.0)

    def _is_undecided(self, detector: Detector, now: float) -> bool:
        since = self._undecided_since.get(detector.kind)
        return since is not None and now - since < LONGEST_LOOK

    def _may_decide(self, detector: Detector, now: float) -> bool:
        """Whether as much time has passed as it wanted: two looks that are too close show the same."""
        if not self._is_undecided(detector, now):
            return False
        return now - self._judged_at[detector.kind] >= 0.9 * self._detections[detector.kind].look_again

    async def _read(self, due: Sequence[str]) -> frozenset[str]:
        clock, began = self._view.clock, self._view.clock.monotonic()
        turns = Turns(SharedSource(self._view.source), clock)
        sources = {tool: TurnSource(turns) for tool in due}
        found = await asyncio.gather(*(collect(replace(self._view, source=sources[tool]), tool) for tool in due))
        self.seconds = sum(source.seconds for source in sources.values())
        self.failure = turns.failure
        if turns.failure is not None:
            # What was read a moment ago is no longer so: every check depends on the server's answers.
            self._outcomes = dict.fromkeys(self._tools, turns.failure)
            self._before, self._readings = {}, None
            self._cadence.forget()
            return frozenset(self._tools)
        for tool, outcome in zip(due, found, strict=True):
            known = self._outcomes.get(tool)
            if isinstance(known, Message):
                self._before[tool] = known
            self._outcomes[tool] = outcome
            self._cadence.read(tool, began, sources[tool].seconds)
        return frozenset(due)

    def _judge(self, detector: Detector, readings: Readings) -> None:
        now = self._judged_at[detector.kind] = readings.at
        try:
            detection = detect(detector, readings)
        except Exception:  # a mistake in one detector must not silence the others
            log.exception("a detector failed", extra={"fields": {"kind": detector.kind}})
            detection = Detection(not_checked=True, reason="The check failed; the shard's log says why.")
        if detection.findings:
            self._found_at[detector.kind] = now
            times = observed(readings, detector.tools)
            for finding in detection.findings:
                if times is not None:
                    finding.observed_at.CopyFrom(times)
        self._note_indecision(detector.kind, detection, now)
        if not detection.findings and detection.look_again and now - self._found_at.get(detector.kind, 0.0) < HOLD:
            detection = replace(self._detections[detector.kind], look_again=detection.look_again)
        self._detections[detector.kind] = detection

    def _note_indecision(self, kind: str, detection: Detection, now: float) -> None:
        if detection.look_again:
            self._undecided_since.setdefault(kind, now)
        else:
            self._undecided_since.pop(kind, None)
