"""What an error may tell: its reason, and the values that the catalogue's text has a place for."""

from __future__ import annotations

import logging
import traceback
from string import Formatter

from libs.core.errors import Reason, StorexError
from libs.redaction.prose import scrub

MAX_VALUE = 200
"""Longest value that leaves with an error, in characters."""

_log = logging.getLogger(__name__)


def public_failure(error: Exception) -> StorexError:
    """The error as it may leave; what is not in the catalogue is INTERNAL, and is logged without its text.

    The text of a driver's error, and of whatever caused the error, may quote a statement: neither the caller nor the
    log gets it.
    """
    if not isinstance(error, StorexError):
        _log.error("a handler failed", extra={"error_type": type(error).__name__, "frames": _frames(error)})
        return StorexError(Reason.INTERNAL)
    placed = {name for _, name, _, _ in Formatter().parse(error.reason.spec.message) if name}
    public = StorexError(error.reason, retry_seconds=error.retry_seconds)
    public.metadata = {key: scrub(str(error.metadata[key]))[:MAX_VALUE] for key in placed & error.metadata.keys()}
    return public


def _frames(error: Exception) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
