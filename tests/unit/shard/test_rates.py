from __future__ import annotations

from services.shard.sampler.metrics import METRICS, STATUS_VARIABLES
from services.shard.sampler.rates import LONGEST_INTERVAL, Rates

STEADY = {"Uptime": 1000.0, "Questions": 500.0, "Connections": 40.0, "Threads_connected": 7.0}


def after(seconds: float, **changes: float) -> dict[str, float]:
    return {**STEADY, "Uptime": STEADY["Uptime"] + seconds, **changes}


def test_a_rate_needs_two_samples_and_a_gauge_one() -> None:
    rates = Rates()
    assert rates.next(10.0, STEADY) == {"threads_connected": 7.0}
    values = rates.next(12.0, after(2.0, Questions=530.0))
    assert values == {"threads_connected": 7.0, "queries_per_second": 15.0, "connections_per_second": 0.0}


def test_a_counter_that_was_reset_has_no_rate_once_and_the_others_have() -> None:
    rates = Rates()
    rates.next(10.0, STEADY)
    values = rates.next(11.0, after(1.0, Questions=3.0, Connections=41.0))
    assert "queries_per_second" not in values
    assert values["connections_per_second"] == 1.0
    assert rates.next(12.0, after(2.0, Questions=5.0, Connections=41.0))["queries_per_second"] == 2.0


def test_a_restart_is_a_gap_even_where_counters_are_larger_than_before() -> None:
    rates = Rates()
    rates.next(10.0, {"Uptime": 8.0, "Questions": 5.0, "Connections": 2.0})
    reborn = {"Uptime": 12.0, "Questions": 900.0, "Connections": 90.0}
    assert rates.restarted(38.0, reborn)
    assert rates.next(38.0, reborn) == {}
    assert rates.next(39.0, {"Uptime": 13.0, "Questions": 910.0, "Connections": 90.0})["queries_per_second"] == 10.0


def test_a_quick_restart_is_seen_by_its_connections() -> None:
    rates = Rates()
    rates.next(10.0, STEADY)
    assert rates.restarted(12.0, {"Uptime": 1.0, "Questions": 2.0, "Connections": 3.0})


def test_a_servers_clock_that_is_set_is_no_restart() -> None:
    rates = Rates()
    rates.next(10.0, STEADY)
    for uptime in (2.0, -300.0, 9e6):
        set_back = after(1.0, Uptime=uptime, Questions=510.0)
        assert not rates.restarted(11.0, set_back)
    assert rates.next(11.0, after(1.0, Uptime=2.0, Questions=510.0))["queries_per_second"] == 10.0


def test_over_a_gap_nothing_is_averaged() -> None:
    rates = Rates()
    rates.next(10.0, STEADY)
    seconds = LONGEST_INTERVAL + 1.0
    assert rates.next(10.0 + seconds, after(seconds, Questions=90_000.0)) == {"threads_connected": 7.0}


def test_two_samples_at_once_make_no_infinite_rate() -> None:
    rates = Rates()
    rates.next(10.0, STEADY)
    assert "queries_per_second" not in rates.next(10.0, after(0.0, Questions=600.0))


def test_the_hit_ratio_is_that_of_the_interval() -> None:
    rates = Rates()
    name = "Innodb_buffer_pool_read"
    rates.next(1.0, {f"{name}_requests": 1000.0, f"{name}s": 1000.0})
    values = rates.next(2.0, {f"{name}_requests": 1100.0, f"{name}s": 1010.0})
    assert values["buffer_pool_hit_ratio"] == 0.9
    assert "buffer_pool_hit_ratio" not in rates.next(3.0, {f"{name}_requests": 1100.0, f"{name}s": 1010.0})


def test_every_metric_says_what_it_is() -> None:
    for name, metric in METRICS.items():
        assert name == metric.name
        assert metric.unit
        assert metric.text.endswith(".")
        assert metric.name.endswith("_per_second") == bool(metric.counter)
        assert not (metric.counter and metric.gauge)
    assert {"Uptime", "Questions", "Threads_running"} <= STATUS_VARIABLES
