"""How the event loop reaches a store: one thread writes, a few read, and nobody on the loop ever waits for a disk.

Samples are handed over and forgotten; a disk that is slower than they come costs samples, and that is told. What cannot
be sampled again (changes, last known states) is kept and tried again. What somebody wants confirmed is `record`ed.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.stores.records import Batch
from services.shard.stores.store import HistoryStore
from storex.common.v1 import entity_pb2

T = TypeVar("T")

QUEUE = 5_000
"""Batches that may wait; beyond that the oldest samples go."""
GATHER_SECONDS = 0.2
"""How long batches of several instances are gathered for one commit."""
ROLL_UP_SECONDS = 60.0
"""How often each instance is rolled up."""
PURGE_EVERY = 10
"""Each so many roll-ups also drop what has grown too old."""
CLOCK_STEP = 60.0
"""A wall clock that moved by more than this, in seconds, is not trusted to say what is too old."""
DISTRUST_SECONDS = 3600.0
"""For how long it is not."""
READERS = 2

log = logging.getLogger(__name__)


class Archive:
    """A region's store behind threads of its own. `start` it on the loop, and `close` it."""

    def __init__(self, open_store: Callable[[], HistoryStore], clock: Clock) -> None:
        self._open_store = open_store
        self._clock = clock
        self._condition = threading.Condition()
        self._waiting: deque[Batch] = deque()
        self._wanted: deque[tuple[Batch, Future[None]]] = deque()
        self._closing = False
        self._opening = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storex-store-read")
        self._of_thread = threading.local()
        self._opened: list[HistoryStore] = []
        self._writer = threading.Thread(target=self._write_on, name="storex-store-write", daemon=True)
        self._due: list[tuple[float, str, int]] = []
        self._offset = clock.now() - clock.monotonic()
        self._trusted_from = 0.0
        self.failure: StorexError | None = None
        """Why nothing can be recorded at the moment."""
        self.dropped = 0
        """Batches of samples that were not kept since the start."""

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    async def close(self) -> None:
        """Write what waits, and let go of the store."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._writer.ident is not None:
            await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for store in self._opened:
            store.close()

    def put(self, batch: Batch) -> None:
        """Hand a batch over; never waits."""
        with self._condition:
            self._waiting.append(batch)
            if len(self._waiting) > QUEUE:
                self._shorten()
            self._condition.notify()

    async def record(self, batch: Batch) -> None:
        """Keep a batch for good. Raises StorexError when it is not kept: STORE_FULL or STORE_UNAVAILABLE."""
        done: Future[None] = Future()
        with self._condition:
            if self._closing:
                raise StorexError(Reason.NOT_READY)
            self._wanted.append((batch, done))
            self._condition.notify()
        await asyncio.wrap_future(done)

    def limits(self) -> list[entity_pb2.Limit]:
        """See Memory: a live archive lacks nothing that is kept."""
        return []

    async def ask(self, question: Callable[[HistoryStore], T]) -> T:
        """What `question` finds in the store. Raises StorexError STORE_UNAVAILABLE."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: question(self._reading()))

    def _reading(self) -> HistoryStore:
        store: HistoryStore | None = getattr(self._of_thread, "store", None)
        if store is None:
            store = self._of_thread.store = self._open()
        return store

    def _open(self) -> HistoryStore:
        with self._opening:
            store = self._open_store()
            self._opened.append(store)
            return store

    def _shorten(self) -> None:
        """Make room: samples go, oldest first; what cannot be sampled again stays as long as there is room."""
        batch = self._waiting.popleft()
        self.dropped += 1
        if batch.cannot_be_sampled_again and len(self._waiting) < 2 * QUEUE:
            self._waiting.append(batch.without_samples())

    def _write_on(self) -> None:
        store: HistoryStore | None = None
        while True:
            batches, wanted, closing = self._next()
            try:
                if store is None:
                    store = self._open()
                    self._due = [(0.0, name, 0) for name in store.instances()]
                self._keep(store, batches)
                self._maintain(store)
            except StorexError as error:
                self._failed(error, batches)
            except Exception as error:
                log.exception("the history could not be written")
                self._failed(StorexError(Reason.STORE_UNAVAILABLE, detail=type(error).__name__), batches)
            for batch, done in wanted:
                self._confirm(store, batch, done)
            if closing:
                return

    def _next(self) -> tuple[list[Batch], list[tuple[Batch, Future[None]]], bool]:
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._wanted or self._closing, timeout=1.0)
            if self._waiting and not self._wanted and not self._closing:
                self._condition.wait_for(lambda: self._wanted or self._closing, timeout=GATHER_SECONDS)
            batches, wanted = list(self._waiting), list(self._wanted)
            self._waiting.clear()
            self._wanted.clear()
            return batches, wanted, self._closing

    def _keep(self, store: HistoryStore, batches: list[Batch]) -> None:
        if not batches:
            return
        store.write(batches)
        if self.failure is not None:
            log.warning("the history is recorded again", extra={"fields": {"dropped": self.dropped}})
            self.failure = None
        known = {name for _, name, _ in self._due}
        for name in {batch.instance for batch in batches} - known:
            heapq.heappush(self._due, (self._clock.monotonic() + ROLL_UP_SECONDS, name, 0))

    def _failed(self, error: StorexError, batches: list[Batch]) -> None:
        if self.failure is None or self.failure.reason is not error.reason:
            fields = {"reason": error.reason.name, "detail": error.detail}
            log.error("the history cannot be recorded", extra={"fields": fields})
        self.failure = error
        self.dropped += len(batches)
        again = [batch.without_samples() for batch in batches if batch.cannot_be_sampled_again]
        with self._condition:
            if not self._closing:
                self._waiting.extendleft(reversed(again[-QUEUE:]))
                self._condition.wait_for(lambda: self._wanted or self._closing, timeout=1.0)

    def _confirm(self, store: HistoryStore | None, batch: Batch, done: Future[None]) -> None:
        try:
            if store is None:
                raise self.failure or StorexError(Reason.STORE_UNAVAILABLE)
            store.write([batch], durable=True)
        except Exception as error:
            done.set_exception(error if isinstance(error, StorexError) else StorexError(Reason.STORE_UNAVAILABLE))
        else:
            done.set_result(None)

    def _maintain(self, store: HistoryStore) -> None:
        """Roll up one instance that is due; the others wait for the next turn, so that samples never wait long."""
        now, at = self._clock.now(), self._clock.monotonic()
        if abs(now - at - self._offset) > CLOCK_STEP:
            self._offset, self._trusted_from = now - at, at + DISTRUST_SECONDS
        if not self._due or self._due[0][0] > at:
            return
        _, name, times = self._due[0]
        heapq.heapreplace(self._due, (at + ROLL_UP_SECONDS, name, times + 1))
        store.roll_up(name, now)
        if times % PURGE_EVERY == 0 and at >= self._trusted_from:
            store.purge(name, now)
