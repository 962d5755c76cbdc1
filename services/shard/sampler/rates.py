"""From counters that grow since the server started to rates, across resets, restarts and gaps."""

from __future__ import annotations

from collections.abc import Mapping

from services.shard.sampler.metrics import BUFFER_POOL_HIT_RATIO, METRICS

LONGEST_INTERVAL = 30.0
"""Over more time than this a mean would hide what happened: the samples leave a gap, in seconds."""
SHORTEST_INTERVAL = 0.05
"""Below this a rate is noise, in seconds."""
_UPTIME_SLACK = 5.0
"""Servers count their uptime in whole seconds, by a clock that may be corrected."""


class Rates:
    """The metrics of one instance from one sample to the next; time is monotonic, so that no clock can bend a rate."""

    def __init__(self) -> None:
        self._at = 0.0
        self._before: Mapping[str, float] = {}

    def restarted(self, at: float, status: Mapping[str, float]) -> bool:
        """Whether the server was started between the last sample and this one.

        Its uptime alone does not say so, for it follows the server's clock: fewer connections since the start than
        before do, or a start after the last sample.
        """
        before = self._before
        if not before or "Uptime" not in status:
            return False
        if status.get("Connections", 0.0) < before.get("Connections", 0.0):
            return status["Uptime"] < before.get("Uptime", 0.0) + (at - self._at) - _UPTIME_SLACK
        return 0.0 <= status["Uptime"] < at - self._at - _UPTIME_SLACK

    def next(self, at: float, status: Mapping[str, float]) -> dict[str, float]:
        """The gauges, and the rates since the last sample as far as those are known.

        A counter that fell was reset: it has no rate this time. After a restart, or a gap, none has.
        """
        interval = at - self._at
        usable = bool(self._before) and SHORTEST_INTERVAL <= interval <= LONGEST_INTERVAL
        grown = {} if not usable or self.restarted(at, status) else _growth(self._before, status)
        self._at, self._before = at, status
        values = {metric.name: status[metric.gauge] for metric in METRICS.values() if metric.gauge in status}
        values |= {
            metric.name: grown[metric.counter] / interval for metric in METRICS.values() if metric.counter in grown
        }
        requests = grown.get("Innodb_buffer_pool_read_requests", 0.0)
        if requests > 0.0:
            missed = grown.get("Innodb_buffer_pool_reads", 0.0)
            values[BUFFER_POOL_HIT_RATIO] = max(0.0, 1.0 - missed / requests)
        return values


def _growth(before: Mapping[str, float], status: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in status.items() if name in before and value >= before[name]}
