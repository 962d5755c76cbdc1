"""What `storex health --check` ends with."""

from __future__ import annotations

import pytest

from libs.cli.commands.health import status_of
from libs.cli.failures import ExitStatus
from storex.diagnostics.v1 import finding_pb2
from storex.diagnostics.v1.diagnostics_pb2 import InstanceHealth

CLEAR, FOUND, UNKNOWN = (
    finding_pb2.CHECK_RESULT_CLEAR,
    finding_pb2.CHECK_RESULT_FOUND,
    finding_pb2.CHECK_RESULT_NOT_CHECKED,
)


def health(
    *results: finding_pb2.CheckResult.ValueType, severity: finding_pb2.Severity.ValueType | None = None
) -> InstanceHealth:
    made = InstanceHealth(checks=[finding_pb2.Check(kind=f"c{at}", result=one) for at, one in enumerate(results)])
    if severity is not None:
        made.findings.add(kind="c0", severity=severity)
    return made


@pytest.mark.parametrize(
    ("seen", "all_answered", "status"),
    [
        ([health(CLEAR, CLEAR)], True, ExitStatus.SUCCESS),
        ([health(FOUND, CLEAR, severity=finding_pb2.SEVERITY_INFO)], True, ExitStatus.SUCCESS),
        ([health(CLEAR, UNKNOWN)], True, ExitStatus.BLIND),
        ([health(CLEAR)], False, ExitStatus.BLIND),
        ([health()], True, ExitStatus.BLIND),
        ([], True, ExitStatus.BLIND),
        ([health(CLEAR), health(FOUND, UNKNOWN, severity=finding_pb2.SEVERITY_WARNING)], False, ExitStatus.FAILED),
    ],
)
def test_the_status_tells_wrong_from_blind_from_well(
    seen: list[InstanceHealth], all_answered: bool, status: ExitStatus
) -> None:
    assert status_of(seen, all_answered=all_answered) is status
