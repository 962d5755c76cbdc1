from __future__ import annotations

from collections.abc import Callable

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.detectors.readings import Detection, Detector, Readings, entity
from services.shard.detectors.registry import DETECTORS, detectors_without
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import ClientSample, ConnectionSample, DigestSample, History, StatusSample
from services.shard.verdict.health import assess, rank
from storex.diagnostics.v1 import finding_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import RecordedSource, view_of


def finding(
    kind: str, severity: finding_pb2.Severity.ValueType, impact: float, digest: str = ""
) -> finding_pb2.Finding:
    entities = [entity("cause", "statement_digest", digest)] if digest else []
    return finding_pb2.Finding(kind=kind, severity=severity, impact=impact, entities=entities)


def test_findings_are_ranked_by_severity_then_impact() -> None:
    ranked = rank(
        [
            finding("query.missing_index", finding_pb2.SEVERITY_WARNING, 9.0),
            finding("lock.row_blocker", finding_pb2.SEVERITY_CRITICAL, 2.0),
            finding("connections.leak", finding_pb2.SEVERITY_CRITICAL, 5.0),
        ]
    )
    assert [(one.id, one.kind) for one in ranked] == [
        ("f1", "connections.leak"),
        ("f2", "lock.row_blocker"),
        ("f3", "query.missing_index"),
    ]


def test_a_search_without_an_index_explains_the_locks_that_its_statement_keeps() -> None:
    blocker = finding("lock.row_blocker", finding_pb2.SEVERITY_CRITICAL, 9.0, "d1")
    search = finding("query.missing_index", finding_pb2.SEVERITY_WARNING, 0.5, "d1")
    other = finding("query.missing_index", finding_pb2.SEVERITY_WARNING, 0.4, "d2")
    ranked = rank([blocker, search, other])
    assert [one.kind for one in ranked] == ["query.missing_index", "query.missing_index", "lock.row_blocker"]
    assert [list(one.explains) for one in ranked] == [[ranked[2].id], [], []]


async def test_a_silent_server_is_a_limit_and_nothing_is_called_clear() -> None:
    view = view_of(RecordedSource({}, failure=StorexError(Reason.DATABASE_UNREACHABLE)))
    health = await assess(view, {"service": "orders"})
    assert [limit.code for limit in health.observation.limits] == ["DATABASE_UNREACHABLE"]
    assert {check.result for check in health.checks} == {finding_pb2.CHECK_RESULT_NOT_CHECKED}
    assert len(health.checks) == len(DETECTORS)
    assert dict(health.labels) == {"service": "orders"}


async def test_a_healthy_server_is_clear_with_figures() -> None:
    clock, history = ManualClock(), History()
    history.add_connections(ConnectionSample(clock.monotonic(), {}))
    history.add_status(StatusSample(clock.monotonic(), {}))
    for age in (4.0, 2.0, 0.0):
        history.add_clients(ClientSample(clock.monotonic() - age, {}, counted=True))
        history.add_digests(DigestSample(clock.monotonic() - age, {}))
    names = ("Access_denied_errors", "Innodb_checkpoint_age", "Innodb_checkpoint_max_age")
    counted = {Statement.GLOBAL_STATUS: [{"variable_name": name, "value": "0"} for name in names]}
    view = view_of(RecordedSource({statement: [] for statement in Statement} | counted), clock, history)
    clock.seconds += 5
    health = await assess(view, {})
    assert {check.result for check in health.checks} == {finding_pb2.CHECK_RESULT_CLEAR}
    assert all(check.reason for check in health.checks)


async def test_a_detector_may_look_again_until_it_is_sure() -> None:
    seen: list[Readings] = []

    def hesitant(sure_after: int) -> Callable[[Readings], Detection]:
        def detect(readings: Readings) -> Detection:
            seen.append(readings)
            if len(seen) < sure_after:
                return Detection(reason="not yet", look_again=0.01)
            return Detection((finding_pb2.Finding(kind="lock.row_blocker"),))

        return detect

    detector = Detector("lock.row_blocker", ("get_lock_waits",), hesitant(3))
    health = await assess(view_of(RecordedSource({})), {}, (detector,))
    assert [check.result for check in health.checks] == [finding_pb2.CHECK_RESULT_FOUND]
    assert len(seen) == 3
    assert seen[0].lock_waits is not seen[2].lock_waits


async def test_looking_again_has_an_end() -> None:
    detector = Detector("x", ("get_lock_waits",), lambda _: Detection(reason="never sure", look_again=100.0))
    health = await assess(view_of(RecordedSource({})), {}, (detector,))
    assert [check.result for check in health.checks] == [finding_pb2.CHECK_RESULT_CLEAR]


def test_a_detector_that_is_left_out_says_so_and_the_others_look() -> None:
    kinds = [detector.kind for detector in DETECTORS]
    blind = detectors_without(["lock.metadata"])
    assert [detector.kind for detector in blind] == kinds
    left_out = blind[kinds.index("lock.metadata")]
    assert left_out.tools == ()
    assert [one for one in blind if one not in DETECTORS] == [left_out]
    with pytest.raises(StorexError) as raised:
        detectors_without(["lock.nonsense"])
    assert raised.value.reason is Reason.REQUEST_INVALID
