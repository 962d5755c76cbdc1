"""Checks that found nothing: clear only where what they look for could have been seen."""

from __future__ import annotations

import pytest

from services.shard.detectors.readings import Detection, Detector, Readings
from services.shard.sampler.history import History
from services.shard.verdict.blindness import honest
from services.shard.work.statement_texts import StatementTexts
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, session_pb2

REMEDY = "Set performance_schema=ON."


def judged(kind: str, detection: Detection, source: str, code: str) -> Detection:
    limit = entity_pb2.Limit(source=source, code=code, message="Not seen.", remedy=REMEDY)
    answer = diagnostics_pb2.GetLockWaitsResponse(observation=session_pb2.Observation(limits=[limit]))
    readings = Readings({"tool": answer}, {}, History(), 0.0, 0.0)
    return honest(Detector(kind, ("tool",), lambda _: detection), detection, readings)


@pytest.mark.parametrize(
    ("kind", "source", "code"),
    [
        ("lock.row_blocker", "row_locks", "ROW_LOCKS_UNSEEN"),
        ("query.missing_index", "statement_digests", "STATEMENTS_UNSEEN"),
        ("config.change", "settings", "SETTINGS_UNSEEN"),
        ("traffic.retry_storm", "statement_digests", "PREPARED_UNSEEN"),
    ],
)
def test_nothing_found_where_nothing_can_be_seen_is_not_checked(kind: str, source: str, code: str) -> None:
    told = judged(kind, Detection(reason="All is well."), source, code)
    assert (told.not_checked, told.reason) == (True, f"Not seen. {REMEDY}")


def test_what_was_found_stays_found() -> None:
    found = Detection((finding_pb2.Finding(kind="lock.row_blocker"),))
    assert judged("lock.row_blocker", found, "row_locks", "ROW_LOCKS_UNSEEN") is found


def test_what_limits_something_else_leaves_a_check_clear() -> None:
    clear = Detection(reason="All is well.")
    assert judged("connections.leak", clear, "row_locks", "ROW_LOCKS_UNSEEN") is clear
    assert judged("lock.row_blocker", clear, "programs", "CONNECT_ATTRIBUTES_OFF") is clear


def test_what_was_not_checked_tells_what_mends_that_once() -> None:
    unseen = Detection(not_checked=True, reason="It cannot be seen.")
    assert judged("innodb.purge_lag", unseen, "process", "PRIVILEGE_MISSING").reason == f"It cannot be seen. {REMEDY}"
    told = Detection(not_checked=True, reason=f"It cannot be seen. {REMEDY}")
    assert judged("innodb.purge_lag", told, "process", "PRIVILEGE_MISSING") == told


def test_a_prepared_statement_is_known_by_its_own_text() -> None:
    known = StatementTexts().of_engine("d1", "EXECUTE SELECT `a` FROM `t` WHERE `b` = ?")
    assert known.text.startswith("SELECT")
    assert known.tables == ("t",)
    assert StatementTexts().of_engine("d2", "EXECUTE `report`").text.startswith("EXECUTE")
