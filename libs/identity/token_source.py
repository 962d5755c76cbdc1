"""Where a service gets its own token from: a file that whoever runs it keeps fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from libs.core.errors import Reason, StorexError


class TokenSource(Protocol):
    """Gives the token to send now; asked before each call, so that a rotated one is picked up."""

    def __call__(self) -> str:
        """The token. Raises StorexError NOT_READY while there is none."""


class FileTokenSource:
    """Reads a token from a file, again whenever the file changes; a file that vanishes leaves the last token in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._token = ""

    def __call__(self) -> str:
        """The token. Raises StorexError NOT_READY while the file is missing or empty."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._token = self._path.read_text(encoding="ascii").strip() or self._token
                self._stamp = stamp
        except (OSError, UnicodeDecodeError):
            self._stamp = None
        if not self._token:
            raise StorexError(Reason.NOT_READY, detail="this service's own token file is missing or empty")
        return self._token
