from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, RenderableType

from libs.cli.health_view import health_view, ranked_view, told
from storex.common.v1.entity_pb2 import Entity, Limit
from storex.diagnostics.v1.diagnostics_pb2 import InstanceHealth
from storex.diagnostics.v1.finding_pb2 import (
    CHECK_RESULT_CLEAR,
    CHECK_RESULT_NOT_CHECKED,
    SEVERITY_CRITICAL,
    SEVERITY_WARNING,
    SHAPE_STEP,
    Check,
    Finding,
)
from storex.diagnostics.v1.session_pb2 import Observation

NAME = "regions/eu/instances/orders-1"


def text_of(parts: Iterator[RenderableType]) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=300)
    for part in parts:
        console.print(part)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


def sick(*findings: Finding) -> InstanceHealth:
    health = InstanceHealth(observation=Observation(name=NAME), findings=findings)
    health.observation.observed_at.FromSeconds(1_800_000_000)
    health.checks.add(kind="lock.hot_row", result=CHECK_RESULT_CLEAR)
    return health


def blocker(holder: str = "7", explains: tuple[str, ...] = ()) -> Finding:
    finding = Finding(
        id="f1",
        kind="lock.row_blocker",
        severity=SEVERITY_CRITICAL,
        summary="Connection 7 holds \x1b[31mrows.",
        entities=[Entity(role="holder", type="connection_id", value=holder)],
        shape=SHAPE_STEP,
        explains=explains,
    )
    finding.onset.FromSeconds(1_799_999_990)
    return finding


def full() -> Finding:
    return Finding(id="f2", kind="connections.exhausted", severity=SEVERITY_WARNING, summary="Nearly full.")


def test_one_instance_in_full() -> None:
    health = sick(blocker(explains=("f2",)), full())
    health.checks.append(Check(kind="query.heavy_scan", result=CHECK_RESULT_NOT_CHECKED, reason="It is off."))
    health.observation.limits.append(Limit(message="Something is off.", remedy="Switch it on."))
    assert text_of(health_view(health)) == [
        f"{NAME} is critical, as seen at 2027-01-15 08:00:00 UTC",
        "lock.row_blocker (critical, since 2027-01-15 07:59:50, a step)",
        "  Connection 7 holds \\x1b[31mrows.",
        "  explains connections.exhausted",
        "connections.exhausted (warning)",
        "  Nearly full.",
        "not checked       why",
        "query.heavy_scan  It is off.",
        "Something is off. Switch it on.",
    ]


def test_a_healthy_one_is_a_line() -> None:
    assert text_of(health_view(sick())) == [f"{NAME} is healthy, as seen at 2027-01-15 08:00:00 UTC"]


def test_many_take_a_line_each() -> None:
    silent = InstanceHealth(observation=Observation(name="regions/eu/instances/users-1"))
    silent.checks.add(kind="lock.hot_row", result=CHECK_RESULT_NOT_CHECKED)
    silent.observation.limits.add(message="The database does not answer.")
    _, first, second, third = text_of(ranked_view([sick(blocker(), full()), silent, sick()]))
    assert first.split()[1:6] == ["critical", "2027-01-15", "07:59:50", "lock.row_blocker", "(and"]
    assert first.endswith("more)  Connection 7 holds \\x1b[31mrows.")
    assert second.split()[:2] == ["regions/eu/instances/users-1", "unknown"]
    assert "The database does not answer." in second
    assert third.split() == [NAME, "healthy"]


def test_a_watcher_is_told_what_opened_and_what_is_over() -> None:
    at = f"2027-01-15 08:00:00 {NAME}"
    assert text_of(told(None, sick())) == [f"{at} is healthy"]
    opened = text_of(told(sick(), sick(blocker())))
    assert opened[0] == f"{at} is critical"
    assert opened[1].startswith(f"{at} lock.row_blocker (critical, since 2027-01-15 07:59:50, a step): Connection 7")
    assert text_of(told(sick(blocker()), sick(blocker()))) == []
    other = text_of(told(sick(blocker("7")), sick(blocker("8"))))
    assert [line for line in other if line.endswith("lock.row_blocker is over")]
    assert len(other) == 2
    assert text_of(told(sick(full()), sick())) == [f"{at} is healthy", f"{at} connections.exhausted is over"]


def test_a_reason_that_many_checks_share_is_told_once_with_their_list() -> None:
    health = sick()
    kinds = [f"lock.kind_{number}" for number in range(29)]
    for kind in kinds:
        health.checks.add(
            kind=kind, result=CHECK_RESULT_NOT_CHECKED, reason="The database does not accept connections."
        )
    health.checks.add(kind="query.heavy_scan", result=CHECK_RESULT_NOT_CHECKED, reason="It is off.")
    lines = text_of(health_view(health))
    assert sum("does not accept connections" in line for line in lines) == 1
    assert "29 not checked: The database does not accept connections." in lines
    assert f"  {', '.join(kinds)}".split() == " ".join(lines[-2:]).split()
    assert any(line.split() == ["query.heavy_scan", "It", "is", "off."] for line in lines)
