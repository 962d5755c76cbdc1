"""A file that is read again when it changes, and whose last good content stays in force when the change is bad."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from libs.core.clock import Clock, SystemClock

T = TypeVar("T")

SETTLE_SECONDS = 0.2
"""For how long a changed file must have held still before it is read: one that is being written is not."""

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
        self._changed_at = 0.0
        self._content = read(path)

    def __call__(self) -> T:
        """The content as it is now, or was when it last could be used."""
        signature = _signature(self._path)
        if signature == self._seen:
            return self._content
        now = self._clock.monotonic()
        if signature != self._changing:
            self._changing, self._changed_at = signature, now
        elif now - self._changed_at >= SETTLE_SECONDS:
            self._seen = signature
            self._take()
        return self._content

    def _take(self) -> None:
        try:
            self._content = self._read(self._path)
        except self._errors as error:
            _log.error("%s was changed and cannot be used; what it held before stays in force: %s", self._path, error)
        else:
            _log.info("%s was changed and is in force", self._path)


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
