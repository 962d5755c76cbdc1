"""A file that is read again when it changes, and whose last good content stays in force when the change is bad."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from libs.core.clock import Clock, SystemClock

T = TypeVar("T")

SETTLE_SECONDS = 0.2
"""For how long a changed file must have held still before it is read: one that is being written is not."""

RETRY_SECONDS = 5.0
"""How often content that could not be used is read again: it may depend on another file that was mended."""
REMIND_SECONDS = 60.0
"""How often the log repeats that the content cannot be used."""
POLL_SECONDS = 1.0

_log = logging.getLogger(__name__)


class WatchedFile(Generic[T]):
    """The content of a file, as `read` understands it. Ask for it by calling; a look at the file costs one stat.

    `read` raises one of `errors` for content that cannot be used, with a text that may be logged.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], T],
        errors: tuple[type[Exception], ...],
        clock: Clock | None = None,
    ) -> None:
        """Read the file; raises what `read` raises."""
        self._path = path
        self._read = read
        self._errors = errors
        self._clock = clock or SystemClock()
        self._seen = self._changing = _signature(path)
        self._changed_at = self._tried_at = self._told_at = 0.0
        self._content = read(path)
        self._version = _digest(path)
        self._problem = ""

    @property
    def version(self) -> str:
        """Follows from the content that is in force: the same content has the same version everywhere."""
        return self._version

    @property
    def problem(self) -> str:
        """What is wrong with the file as it is now; empty while its content is in force."""
        return self._problem

    def __call__(self) -> T:
        """The content as it is now, or was when it last could be used."""
        signature = _signature(self._path)
        if signature == self._seen:
            if self._problem and self._clock.monotonic() - self._tried_at >= RETRY_SECONDS:
                self._take()
            return self._content
        now = self._clock.monotonic()
        if signature != self._changing:
            self._changing, self._changed_at = signature, now
        elif now - self._changed_at >= SETTLE_SECONDS:
            self._seen = signature
            self._take()
        return self._content

    async def watch(self) -> None:
        """Look for changes until cancelled, so that what is wrong is told although nobody asks for the content."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self()

    def _take(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            content, version = self._read(self._path), _digest(self._path)
        except self._errors as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"{type(error).__name__}: {error.strerror}")
        else:
            self._content, self._version, self._problem = content, version, ""
            _log.info("%s was changed and is in force", self._path)

    def _refuse(self, problem: str) -> None:
        if problem != self._problem or self._tried_at - self._told_at >= REMIND_SECONDS:
            self._told_at = self._tried_at
            _log.error("%s cannot be used; what it held before stays in force: %s", self._path, problem)
        self._problem = problem


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
