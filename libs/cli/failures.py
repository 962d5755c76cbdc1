"""How a command fails: one sentence, what to do next, and an exit status that a script can act on."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from libs.client import CallError, TargetError, UnlistedError
from libs.client.failures import UNREACHABLE
from libs.config import ConfigError


class ExitStatus(IntEnum):
    """The statuses of every command; part of the interface."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    UNAVAILABLE = 4
    DENIED = 5
    NOT_FOUND = 6
    BLIND = 7
    INTERRUPTED = 130


EXIT_STATUS_HELP = (
    "Exit status: 0 success · 1 failed · 2 wrong usage · 3 configuration · 4 not running or not reachable, try again · "
    "5 not allowed · 6 not found · 7 not everything is seen (doctor, health --check) · 130 interrupted"
)


class CommandError(Exception):
    """A failure with its sentence, its remedy, and things to choose from if there are any."""

    def __init__(
        self,
        message: str,
        remedy: str = "",
        status: ExitStatus = ExitStatus.FAILED,
        *,
        reason: str = "",
        candidates: Sequence[str] = (),
    ) -> None:
        self.message = message
        self.remedy = remedy
        self.status = status
        self.reason = reason or status.name
        self.candidates = tuple(candidates)
        super().__init__(message)


_BY_STATUS = {
    "UNAUTHENTICATED": ExitStatus.DENIED,
    "PERMISSION_DENIED": ExitStatus.DENIED,
    "NOT_FOUND": ExitStatus.NOT_FOUND,
    "UNAVAILABLE": ExitStatus.UNAVAILABLE,
    "DEADLINE_EXCEEDED": ExitStatus.UNAVAILABLE,
    "RESOURCE_EXHAUSTED": ExitStatus.UNAVAILABLE,
    "CANCELLED": ExitStatus.UNAVAILABLE,
    "INVALID_ARGUMENT": ExitStatus.USAGE,
}


def explained(error: Exception) -> CommandError | None:
    """The failure behind an exception that has a known meaning; None for a bug."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, CallError):
        remedy = "`storex status` shows which service is missing." if error.reason == UNREACHABLE else ""
        status = _BY_STATUS.get(error.status, ExitStatus.FAILED)
        return CommandError(error.message, remedy, status, reason=error.reason)
    if isinstance(error, UnlistedError):
        remedy = "`storex fleet` shows which regions do not answer; the full name needs no listing."
        return CommandError(str(error), remedy, ExitStatus.UNAVAILABLE, candidates=error.candidates)
    if isinstance(error, TargetError):
        remedy = "`storex fleet` lists what there is."
        return CommandError(str(error), remedy, ExitStatus.NOT_FOUND, candidates=error.candidates)
    if isinstance(error, ConfigError):
        return CommandError(str(error), status=ExitStatus.CONFIG)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return CommandError(
            f"{place}{error.strerror or error}.", "Check that it exists, with room and rights to use it."
        )
    return None
