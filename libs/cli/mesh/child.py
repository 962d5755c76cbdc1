"""One supervised process: started on a lifeline, watched, started again with back-off, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from libs.cli.mesh.plan import ServiceSpec
from libs.cli.mesh.readiness import wait_serving
from libs.cli.mesh.state import ServiceState

STARTING, READY, WAITING, STOPPED = "starting", "ready", "waiting", "stopped"

FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0
"""A process that ran for this long starts with the shortest back-off again."""
STOP_SECONDS = 6.0
"""How long a process may take to stop before it is killed."""

_LARGEST_LOG_BYTES = 10 << 20


class Child:
    """A service's process over all its starts. `changed` is called after every change of state."""

    def __init__(self, spec: ServiceSpec, changed: Callable[[Child], None]) -> None:
        self.spec = spec
        self.state = STARTING
        self.restarts = 0
        self.last_exit = ""
        self.ready = asyncio.Event()
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None

    def snapshot(self) -> ServiceState:
        """What others are told of it."""
        return ServiceState(
            name=self.spec.name,
            state=self.state,
            pid=self._process.pid if self._process is not None else None,
            address=self.spec.address,
            metrics=f"127.0.0.1:{self.spec.metrics_port}",
            restarts=self.restarts,
            last_exit=self.last_exit,
            log=str(self.spec.log_file),
        )

    async def keep_running(self) -> None:
        """Start it, and start it again whenever it ends, until cancelled; then stop it."""
        backoff = FIRST_BACKOFF_SECONDS
        try:
            while True:
                began = time.monotonic()
                await self._run_once()
                backoff = FIRST_BACKOFF_SECONDS if time.monotonic() - began > SETTLED_SECONDS else backoff
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
                self.restarts += 1
        finally:
            await self._stop()

    async def _run_once(self) -> None:
        self._process = await self._spawn()
        self._enter(STARTING)
        watch = asyncio.create_task(self._watch_ready())
        try:
            status = await self._process.wait()
        finally:
            watch.cancel()
        # What the service itself started, if anything, goes with it.
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process = None
        self.last_exit = _describe(status, self.spec.log_file)
        self._enter(WAITING)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.spec.log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.spec.log_file.exists() and self.spec.log_file.stat().st_size > _LARGEST_LOG_BYTES:
            self.spec.log_file.replace(self.spec.log_file.with_suffix(".log.1"))
        with self.spec.log_file.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "libs.cli.mesh.tether", self.spec.module, *self.spec.arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _watch_ready(self) -> None:
        await wait_serving(self.spec.address)
        self._enter(READY)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _signal_group(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        self._enter(STOPPED)

    def _enter(self, state: str) -> None:
        self.state = state
        self.ready.set() if state == READY else self.ready.clear()
        self._changed(self)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _describe(status: int, log_file: Path) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    with log_file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
        words = log.read().decode("utf-8", errors="replace").strip().rpartition("\n")[2]
    return f"exited with status {status}: {words[:300]}" if words else f"exited with status {status}"
