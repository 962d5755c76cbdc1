"""What a model writes may be anything: no text keeps the agent from answering others."""

from __future__ import annotations

import time

import pytest

from services.agent.records import Records
from services.agent.report.prose.check import Ground
from services.agent.report.prose.figures import Dimension, figures, plain
from storex.agent.v1 import report_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import claimed, health_record, record, report_on

LENGTH, MOST_SECONDS = 2000, 2.0
"""Characters of a text at most, and the time that none may take; a bad pattern takes minutes."""
_PIECES = ("a", "a-", "5 a", "5 ", "1,", "a.", "901 ", "update ", "set ", "one ", "blocked ", "wait for ", "a_", "`",
           "-1", "connection 901 ", "prn_", "12:", " ", "no ", "user ", "\u00a0", "1 000 ", "regions/a")  # fmt: skip


@pytest.mark.parametrize("piece", _PIECES)
@pytest.mark.parametrize("end", ["", "_", "!?"])
def test_no_text_takes_long_to_check(piece: str, end: str) -> None:
    records = Records(
        [health_record(answers.health(answers.blocker_finding())), record("get_lock_waits", answers.lock_waits())]
    )
    report = report_on(list(records), claimed(answers.blocker_finding()))
    ground = Ground(records, (NAME,), report_pb2.VERDICT_CONFIRMED, report.root_causes)
    began = time.monotonic()
    ground.problem((f"5 {piece}" + piece * LENGTH)[:LENGTH] + end)
    assert time.monotonic() - began < MOST_SECONDS


@pytest.mark.parametrize(
    "text",
    ["5 calls a second", "5 long-running calls per second", "5 calls of it/s", "5 a second", "5/s", "5 calls/ min"],
)
def test_a_rate_is_still_one(text: str) -> None:
    (figure,) = figures(plain(text))
    assert figure.dimension is Dimension.RATE


@pytest.mark.parametrize("text", ["5 calls", "5 rows that came a bit later each day", "5 of six seconds"])
def test_a_count_is_still_one(text: str) -> None:
    assert next(figures(text)).dimension is Dimension.COUNT
