from __future__ import annotations

import pytest
from google.protobuf.message import Message

from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.loop.repetition import MAX_VARIANTS, Repetition, key_of, settled
from services.agent.reach import Reach
from services.agent.records import SUCCESS
from services.agent.tools.tool import ToolArgumentError, tool_from
from storex.diagnostics.v1 import diagnostics_pb2 as d
from tests.unit.agent.answers import NAME

_OTHER = "regions/us-east-1/instances/users-1"


async def look(reach: Reach, name: str, until: str = "", page_size: int = 50, idle: bool = False) -> Message:
    """Look.

    name: What at.
    until: The end.
    page_size: How many.
    idle: Whether idle ones too.
    """
    del reach, name, until, page_size, idle
    return d.GetLockWaitsResponse()


_LOOK = tool_from(look)


@pytest.mark.parametrize(
    "spelled",
    [
        {"name": NAME},
        {"name": f" {NAME}/ "},
        {"name": NAME.upper()},
        {"name": "orders-1"},
        {"name": "instances/orders-1"},
        {"page_size": 50, "name": NAME},
        {"Name": NAME, "pageSize": "50"},
        {"name": NAME, "page_size": 50.0, "until": "", "idle": "False"},
    ],
)
def test_one_question_in_many_spellings_is_one_call(spelled: dict[str, object]) -> None:
    known = (NAME, _OTHER, "regions/eu-west-1/instances/-")
    assert settled(_LOOK, spelled, known) == {"name": NAME, "until": "", "page_size": 50, "idle": False}


def test_a_moment_is_one_moment_however_it_is_written() -> None:
    spellings = ("2026-11-22T02:30:00Z", "2026-11-22T03:30:00+01:00", "2026-11-22 02:30", "2026-11-22T02:30:00.000Z")
    assert len({str(settled(_LOOK, {"name": NAME, "until": text})["until"]) for text in spellings}) == 1


@pytest.mark.parametrize(
    "other", [{"name": _OTHER}, {"name": NAME, "idle": True}, {"name": NAME, "until": "2026-11-22T02:30:00Z"}]
)
def test_another_question_is_another_call(other: dict[str, object]) -> None:
    assert key_of("look", settled(_LOOK, other)) != key_of("look", settled(_LOOK, {"name": NAME}))


def test_a_short_name_that_means_two_instances_is_left_as_it_is() -> None:
    known = ("regions/a/instances/orders-1", "regions/b/instances/orders-1")
    assert settled(_LOOK, {"name": "orders-1"}, known)["name"] == "orders-1"


@pytest.mark.parametrize("wrong", [{}, {"name": 7}, {"name": NAME, "page_size": "many"}, {"name": NAME, "depth": 1}])
def test_what_does_not_fit_is_said(wrong: dict[str, object]) -> None:
    with pytest.raises(ToolArgumentError):
        settled(_LOOK, wrong)


def test_calls_that_differ_only_in_figures_count_as_one_after_a_few() -> None:
    repetition = Repetition()
    for size in range(1, MAX_VARIANTS + 1):
        arguments = settled(_LOOK, {"name": NAME, "page_size": size})
        assert repetition.made("look", arguments) is None
        outcome = CallOutcome(ToolRequest("look", arguments), f"call_0_{size}", SUCCESS, ())
        repetition.remember(arguments, outcome)
    late = repetition.made("look", settled(_LOOK, {"name": NAME, "page_size": 99}))
    assert late is not None
    assert late.call_id == f"call_0_{MAX_VARIANTS}"
    assert repetition.made("look", settled(_LOOK, {"name": _OTHER, "page_size": 99})) is None


@pytest.mark.parametrize(
    ("steps", "is_cycle"),
    [
        ("AA", False),
        ("AAA", True),
        ("ABA", False),
        ("ABAB", True),
        ("ABCABC", True),
        ("ABCAB", False),
        ("ABACAD", False),
        ("XYZABAB", True),
    ],
)
def test_steps_that_ask_the_same_in_turn_are_a_cycle(steps: str, is_cycle: bool) -> None:
    repetition = Repetition()
    for step in steps:
        repetition.step([step, "with"])
    assert repetition.is_cycle is is_cycle
