from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from libs.telemetry.in_force import InForce, read_in_force, show_in_force


def test_what_is_shown_is_read_again_as_it_is_at_that_moment() -> None:
    registry, state = CollectorRegistry(), {"policy": ("pol_1", 0), "egress": ("built-in", 0)}
    show_in_force(registry, {"policy": lambda: state["policy"], "egress": lambda: state["egress"]})
    state["policy"] = ("pol_1", 3)
    shown = read_in_force(generate_latest(registry).decode())
    assert shown == [InForce("egress", "built-in"), InForce("policy", "pol_1", 3)]


def test_other_metrics_say_nothing_of_it_and_what_is_none_is_an_error() -> None:
    assert read_in_force("# TYPE up gauge\nup 1.0\n") == []
    with pytest.raises(ValueError, match="html"):
        read_in_force("<html>no metrics here</html>\n")
