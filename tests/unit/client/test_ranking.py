from __future__ import annotations

from libs.client.ranking import is_unknown, root_findings, worst_first
from storex.diagnostics.v1.diagnostics_pb2 import InstanceHealth
from storex.diagnostics.v1.finding_pb2 import (
    CHECK_RESULT_CLEAR,
    CHECK_RESULT_NOT_CHECKED,
    SEVERITY_CRITICAL,
    SEVERITY_WARNING,
    Check,
    CheckResult,
    Finding,
    Severity,
)
from storex.diagnostics.v1.session_pb2 import Observation


def health(name: str, *findings: Finding, check: CheckResult.ValueType = CHECK_RESULT_CLEAR) -> InstanceHealth:
    checks = [Check(kind="lock.hot_row", result=check)]
    return InstanceHealth(observation=Observation(name=name), findings=findings, checks=checks)


def finding(number: str, severity: Severity.ValueType, impact: float, *explains: str) -> Finding:
    return Finding(id=number, kind="lock.hot_row", severity=severity, impact=impact, explains=explains)


def test_the_worst_come_first_and_a_silent_one_right_after_those_that_are_critical() -> None:
    ranked = worst_first(
        [
            health("a-healthy"),
            health("b-warning", finding("f1", SEVERITY_WARNING, 90.0)),
            health("c-silent", check=CHECK_RESULT_NOT_CHECKED),
            health("d-critical", finding("f1", SEVERITY_CRITICAL, 1.0)),
            health("e-critical", finding("f1", SEVERITY_CRITICAL, 9.0)),
            health("0-healthy"),
        ]
    )
    names = [one.observation.name for one in ranked]
    assert names == ["e-critical", "d-critical", "c-silent", "b-warning", "0-healthy", "a-healthy"]


def test_what_another_finding_explains_does_not_count_twice() -> None:
    explained = health("x", finding("f1", SEVERITY_WARNING, 5.0, "f2"), finding("f2", SEVERITY_CRITICAL, 5.0))
    assert [one.id for one in root_findings(explained)] == ["f1"]
    two = health("y", finding("f1", SEVERITY_WARNING, 5.0), finding("f2", SEVERITY_WARNING, 1.0))
    assert [one.observation.name for one in worst_first([explained, two])] == ["y", "x"]


def test_nothing_is_known_only_where_nothing_was_checked() -> None:
    assert is_unknown(health("x", check=CHECK_RESULT_NOT_CHECKED))
    assert not is_unknown(health("x"))
    assert not is_unknown(InstanceHealth())
