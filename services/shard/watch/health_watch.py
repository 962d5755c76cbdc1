"""Watches over one instance: looks in turns, answers at once what is known, and tells what changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping, Sequence

from libs.core.errors import Reason, StorexError
from services.shard.detectors.readings import Detector
from services.shard.detectors.registry import DETECTORS
from services.shard.verdict.health import LONGEST_LOOK
from services.shard.view import InstanceView
from services.shard.watch.cadence import PRESSING_PERIOD
from services.shard.watch.looks import Looks
from services.shard.watch.open_findings import OpenFindings, what_matters
from storex.diagnostics.v1 import diagnostics_pb2

TICK = 1.0
"""Seconds from the beginning of one look to the next."""
SHORTEST_PAUSE = 0.2
"""Between the end of one look and the next, however much is undecided or asked, in seconds."""
SHARE = 0.1
"""Largest share of time that looking may take, all tools together."""
EASY = 0.3
"""A look that took longer, in seconds, is not repeated early: the server has enough to do."""
RETRY = (1.0, 10.0)
"""Shortest and longest pause after the server did not answer, in seconds."""

log = logging.getLogger(__name__)


class HealthWatch:
    """The health of one instance, kept current by `run`, which goes on until it is cancelled."""

    def __init__(
        self,
        view: InstanceView,
        labels: Callable[[], Mapping[str, str]],
        detectors: Sequence[Detector] = DETECTORS,
    ) -> None:
        """`labels` are asked for at each look: the inventory may change them."""
        self._clock = view.clock
        self._labels = labels
        self._looks = Looks(view, detectors)
        self._open = OpenFindings()
        self._turned = asyncio.Condition()
        self._asked = asyncio.Event()
        self._waiting = 0
        self._pressing = 0
        self._health: diagnostics_pb2.InstanceHealth | None = None
        self._matters: Hashable = None
        self._rounds = 0
        self._first_at: float | None = None
        self._look_began_at = 0.0
        self._ended_at = 0.0
        self._retry = RETRY[0]
        self._closed = False

    @property
    def latest(self) -> diagnostics_pb2.InstanceHealth | None:
        """The health as it was last seen, however long ago; None before the first look has ended."""
        return self._health

    async def run(self) -> None:
        """Look for ever; after `close` nobody waits for another look."""
        try:
            while True:
                began = self._clock.monotonic()
                await self._look()
                await self._rest(began)
        finally:
            self._closed = True
            async with self._turned:
                self._turned.notify_all()

    async def current(self) -> diagnostics_pb2.InstanceHealth:
        """The health of this moment: the last look's where that is fresh, else that of the next one.

        What a look just after the start leaves undecided is waited for. Callers share a look, and one who goes away
        does not end it. Raises StorexError NOT_READY where the watch has ended.
        """
        while self._health is None or self._is_stale() or self._is_settling():
            await self._next_look()
        return self._health

    async def fresh(self) -> diagnostics_pb2.InstanceHealth:
        """The health from this moment on: of readings that began after the call, and of what they left undecided.

        It takes about a second, and up to LONGEST_LOOK more for what has only just begun. A server that does not
        answer is told at once. Raises StorexError NOT_READY where the watch has ended.
        """
        asked_at = self._clock.monotonic()
        self._pressing += 1
        try:
            while True:
                await self._next_look()
                waited = self._clock.monotonic() - asked_at
                settled = self._looks.is_read_since(asked_at) and not self._looks.look_again
                failed = self._looks.failure is not None and self._look_began_at >= asked_at
                if self._health is not None and (settled or failed or waited > LONGEST_LOOK + PRESSING_PERIOD):
                    return self._health
        finally:
            self._pressing -= 1

    async def changes(self) -> AsyncGenerator[diagnostics_pb2.InstanceHealth, None]:
        """The health now, and each time that what matters of it has changed; ends with the watch."""
        try:
            health = await self.current()
        except StorexError:
            return
        while True:
            told = self._matters
            yield health
            async with self._turned:
                await self._turned.wait_for(lambda: self._closed or self._matters != told)  # noqa: B023 - awaited here
            if self._closed or self._health is None:
                return
            health = self._health

    async def _next_look(self) -> None:
        if self._closed:
            raise StorexError(Reason.NOT_READY)
        target = self._rounds + 1
        self._waiting += 1
        self._asked.set()
        try:
            async with self._turned:
                await self._turned.wait_for(lambda: self._closed or self._rounds >= target)
        finally:
            self._waiting -= 1

    def _is_stale(self) -> bool:
        return self._clock.monotonic() - self._ended_at > TICK and self._looks.is_stale()

    def _is_settling(self) -> bool:
        """Whether the watch has begun so lately that what it left undecided is worth waiting for."""
        young = self._first_at is None or self._clock.monotonic() - self._first_at < LONGEST_LOOK
        return young and self._looks.look_again > 0.0

    async def _look(self) -> None:
        self._asked.clear()
        self._look_began_at = self._clock.monotonic()
        if self._first_at is None:
            self._first_at = self._look_began_at
        try:
            health = await self._looks.look(self._labels(), asked=self._waiting > 0, pressing=self._pressing > 0)
        except Exception:  # a mistake of Storex's own must not end the watch
            log.exception("a look at an instance failed")
        else:
            self._open.settle(health.findings, self._clock.now())
            self._health, self._matters = health, what_matters(health)
        self._ended_at = self._clock.monotonic()
        async with self._turned:
            self._rounds += 1
            self._turned.notify_all()

    async def _rest(self, began: float) -> None:
        until = began + self._period()
        await asyncio.sleep(SHORTEST_PAUSE)
        pause = until - self._clock.monotonic()
        if pause > 0:
            try:
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            except TimeoutError:
                pass

    def _period(self) -> float:
        """Seconds from the beginning of the last look to the next one, unless somebody asks."""
        if self._looks.failure is not None:
            pause, self._retry = self._retry, min(RETRY[1], self._retry * 2)
            return pause
        self._retry = RETRY[0]
        again = self._looks.look_again
        if again and self._looks.seconds <= EASY:
            return min(again, TICK)
        return max(TICK, self._looks.seconds / SHARE)
