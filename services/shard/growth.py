"""What the server's counters did over the last samples, for collectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text

COUNTER_STATEMENTS = (Statement.GLOBAL_STATUS, Statement.INNODB_COUNTERS, Statement.ENGINE_COUNTERS)
"""What `growth` wants to have been read."""
SHORTEST_WINDOW = 0.9
"""Below this a rate says little, in seconds."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Counters now, and by how much they grew in the `seconds` before; 0 seconds where nothing was sampled."""

    seconds: float
    now: Mapping[str, float]
    before: Mapping[str, float]

    def of(self, *names: str) -> float:
        """By how much these counters grew, all together; those that were not sampled, or were reset, by nothing."""
        if not self.seconds:
            return 0.0
        return sum(
            max(0.0, self.now[name] - self.before[name]) for name in names if name in self.now and name in self.before
        )

    def knows(self, name: str) -> bool:
        """Whether the counter's growth is known."""
        return self.seconds > 0.0 and name in self.now and name in self.before

    def rate(self, *names: str) -> float:
        """Their growth a second."""
        return round(self.of(*names) / self.seconds, 3) if self.seconds else 0.0


def growth(view: InstanceView, results: ResultSets, window: float) -> Growth:
    """From the sample of about `window` seconds ago, or the oldest there is, to the counters in `results`."""
    now = {
        text(row["variable_name"]): real(row["value"])
        for statement in COUNTER_STATEMENTS
        for row in results.rows(statement)
    }
    at = view.clock.monotonic()
    before = view.history.status_before(at, window)
    if before is None or at - before.at < SHORTEST_WINDOW or before.values.get("Uptime", 0.0) > now.get("Uptime", 0.0):
        return Growth(0.0, now, {})
    return Growth(round(at - before.at, 3), now, before.values)
