"""How often each tool is asked: at a pace of its own, and the more seldom the more it costs the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PERIODS: Mapping[str, float] = {
    "get_lock_waits": 1.0,
    "list_maintenance": 2.0,
    "get_connections": 2.0,
    "get_innodb_status": 2.0,
    "list_top_queries": 2.0,
    "list_auto_increments": 5.0,
    "list_table_limits": 5.0,
}
"""Seconds between two readings of a tool, where nothing else is against it."""
USUAL_PERIOD = 3.0
"""The same for all others."""
SHARE = 0.02
"""Largest share of time that reading one tool may take."""
ASKED_SHARE = 0.1
"""The same while somebody waits for the answer."""
FRESH = 2.5
"""An answer that is younger is as good as a new one, in seconds."""
LATE = 1.0
"""By how much a reading that is due may be late before somebody who asks waits for it, in seconds."""
PRESSING_PERIOD = 1.0
"""Seconds between two readings of a tool while somebody waits for what is so from now on."""
DEAR = 0.3
"""A tool that took longer, in seconds, is not hurried by anybody."""
SLACK = 0.15
"""What is due within so many seconds is read now, together with the rest."""


@dataclass(slots=True)
class _Pace:
    began: float
    seconds: float


class Cadence:
    """When each tool was read, and what that took; times in seconds of the monotonic clock."""

    def __init__(self, periods: Mapping[str, float] = PERIODS) -> None:
        self._periods = periods
        self._paces: dict[str, _Pace] = {}

    def read(self, tool: str, began: float, seconds: float) -> None:
        """Note a reading; a dear one counts for some time, however cheap those after it are."""
        before = self._paces.get(tool)
        self._paces[tool] = _Pace(began, seconds if before is None else max(seconds, before.seconds / 2))

    def forget(self) -> None:
        """Everything is due: what was read last says nothing any longer."""
        self._paces.clear()

    def is_due(self, tool: str, now: float, *, asked: bool, pressing: bool = False) -> bool:
        """Whether it is time for the tool; `asked` while somebody waits, `pressing` if for readings of their own."""
        pace = self._paces.get(tool)
        if pressing and pace is not None and pace.seconds <= DEAR:
            return now - pace.began >= PRESSING_PERIOD - SLACK
        return pace is None or now - pace.began >= self._period(tool, pace, ASKED_SHARE if asked else SHARE) - SLACK

    def is_stale(self, tool: str, now: float) -> bool:
        """Whether somebody who asks now should wait for a new reading."""
        pace = self._paces.get(tool)
        return pace is None or now - pace.began > max(FRESH, self._period(tool, pace, ASKED_SHARE) + LATE)

    def is_read_since(self, tool: str, at: float) -> bool:
        """Whether the tool was read from then on, or is too dear to be."""
        pace = self._paces.get(tool)
        return pace is not None and (pace.began >= at or pace.seconds > DEAR)

    def _period(self, tool: str, pace: _Pace, share: float) -> float:
        return max(self._periods.get(tool, USUAL_PERIOD), pace.seconds / share)
