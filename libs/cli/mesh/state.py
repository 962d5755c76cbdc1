"""What other commands know of a running mesh: a file that says where everything is, and a lock that says it is true."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One process: `state` is starting, ready, waiting (for its next start after an exit) or stopped."""

    name: str
    state: str
    pid: int | None
    address: str
    metrics: str
    restarts: int
    last_exit: str
    log: str


@dataclass(frozen=True, slots=True)
class MeshState:
    """A mesh: `state` is starting, ready or stopping; `pid` is the supervisor's; times are in Unix seconds."""

    state: str
    pid: int
    config: str
    coordinator: str
    started_at: float
    services: tuple[ServiceState, ...]

    def as_json(self) -> dict[str, Any]:
        """The value as JSON-able data."""
        return asdict(self)


class AlreadyRunningError(Exception):
    """Another supervisor holds the state directory."""


class MeshDirectory:
    """A state directory, as the supervisor writes it and the other commands read it."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir
        self._file = state_dir / "mesh.json"
        self._lock = state_dir / "mesh.lock"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one supervisor while the context lasts. Raises AlreadyRunningError, OSError."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock.open("w", encoding="ascii") as lock:
            _lock(lock)
            self._file.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._file.unlink(missing_ok=True)

    def write(self, state: MeshState) -> None:
        """Publish the state at once: readers see the old one or the new one whole."""
        write_private(self._file, json.dumps(state.as_json(), indent=2) + "\n")

    def read(self) -> MeshState | None:
        """The running mesh's state; None when none runs, whatever a killed one left behind."""
        if not self.is_held():
            return None
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
        except OSError:
            return None
        services = tuple(ServiceState(**service) for service in data.pop("services"))
        return MeshState(services=services, **data)

    def is_held(self) -> bool:
        """Whether a supervisor lives."""
        try:
            with self._lock.open("r", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def _lock(file: TextIO) -> None:
    # A command that only looks holds the lock for a moment; a supervisor holds it for good.
    for _ in range(20):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return
    raise AlreadyRunningError


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)
