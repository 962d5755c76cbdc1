"""What the server's counters did over the last samples, for collectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text

STATUS_STATEMENTS = (Statement.GLOBAL_STATUS, Statement.INNODB_COUNTERS)
"""What `status_of` wants to have been read."""
COUNTER_STATEMENTS = (*STATUS_STATEMENTS, Statement.ENGINE_COUNTERS)
"""What `growth` wants to have been read."""
ROWS_CHANGED = (
    ("Innodb_rows_inserted", "Innodb_rows_updated", "Innodb_rows_deleted"),
    ("Handler_write", "Handler_update", "Handler_delete"),
)
"""Counters of rows that were inserted, updated and deleted: InnoDB's own, or, where it counts none, the server's."""
ENGINE_COUNTERS_AGE = "engine_counters_age"
"""Under this name a sample tells how long before it the counters of ENGINE_COUNTERS in it were read, in seconds."""
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

    def per_second(self, name: str) -> float:
        """The growth a second of one of the engine's counters, over the time between its own two readings."""
        span = self.seconds + self.before.get(ENGINE_COUNTERS_AGE, 0.0)
        return self.of(name) / span if self.seconds else 0.0

    def rows_changed(self) -> float:
        """By how many rows tables changed.

        InnoDB's own count where there is one: on MySQL `Handler_write` counts those of temporary tables as well, as
        each look at the server makes them.
        """
        counters = next((names for names in ROWS_CHANGED if self.knows(names[0])), ())
        return self.of(*counters)

    def rate(self, *names: str) -> float:
        """Their growth a second."""
        return round(self.of(*names) / self.seconds, 3) if self.seconds else 0.0


def status_of(results: ResultSets) -> dict[str, object]:
    """The status variables as they are now, with those of InnoDB's metrics that only MariaDB has among them.

    The status comes last and wins: a metric that was switched off stands still.
    """
    return {
        text(row["variable_name"]): row["value"]
        for statement in reversed(STATUS_STATEMENTS)
        for row in results.rows(statement)
    }


def growth(view: InstanceView, results: ResultSets, window: float) -> Growth:
    """From the sample of about `window` seconds ago, or the oldest there is, to the counters in `results`."""
    now = {
        text(row["variable_name"]): real(row["value"])
        for statement in reversed(COUNTER_STATEMENTS)
        for row in results.rows(statement)
    }
    at = view.clock.monotonic()
    before = view.history.status_before(at, window)
    if before is None or at - before.at < SHORTEST_WINDOW or before.values.get("Uptime", 0.0) > now.get("Uptime", 0.0):
        return Growth(0.0, now, {})
    return Growth(round(at - before.at, 3), now, before.values)
