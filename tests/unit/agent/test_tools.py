from __future__ import annotations

import pytest

from libs.core.catalogue import CATALOGUE
from libs.core.errors import StorexError
from services.agent.reach import Reach
from services.agent.timestamps import asked_range
from services.agent.tools.registry import TOOLS
from services.agent.tools.tool import Tool, ToolArgumentError, tool_from
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2

_QUERIES = TOOLS["list_top_queries"]


def test_a_function_and_its_docstring_are_the_schema() -> None:
    schema = _QUERIES.schema
    assert schema.name == "list_top_queries"
    assert schema.description.startswith("The statements that cost most")
    assert "name:" not in schema.description
    assert schema.parameters["required"] == ["name"]
    assert schema.parameters["additionalProperties"] is False
    assert schema.parameters["properties"] == {
        "name": {"type": "string", "description": "The instance, as regions/REGION/instances/INSTANCE."},
        "window_seconds": {"type": "integer", "description": "How far back to look, in seconds."},
        "page_size": {"type": "integer", "description": "How many at most."},
        "until": {
            "type": "string",
            "description": "The end of a time in the past, as 2026-11-22T02:30:00Z; empty for now.",
        },
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "needs the argument name"),
        ({"name": "x", "depth": 1}, "takes no argument of that name"),
        ({"name": 7}, "must be of type string"),
        ({"name": "x", "page_size": "7"}, "must be of type integer"),
        ({"name": "x", "page_size": True}, "must be of type integer"),
        ({"name": "x" * 300}, "longer than 256"),
    ],
)
def test_arguments_that_do_not_fit_are_told_so_that_they_can_be_mended(
    arguments: dict[str, object], problem: str
) -> None:
    with pytest.raises(ToolArgumentError, match=problem):
        _QUERIES.check(arguments)


def test_arguments_that_fit_go_through() -> None:
    assert _QUERIES.check({"name": "x", "window_seconds": 30}) == {"name": "x", "window_seconds": 30}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_says_when_to_use_it_and_what_it_costs(tool: Tool) -> None:
    assert "Use it" in tool.description
    assert any(word in tool.description for word in ("Cheap", "Moderate", "statements"))


def test_every_reading_of_a_region_has_a_tool_and_no_tool_is_anything_else() -> None:
    services = (
        diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"],
        history_pb2.DESCRIPTOR.services_by_name["HistoryService"],
        fleet_pb2.DESCRIPTOR.services_by_name["FleetService"],
    )
    methods = [method.name for service in services for method in service.methods]
    snake = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_") for name in methods}
    # The agent's own sessions are read from its store, with the asker's rights.
    assert set(TOOLS) - snake == {"list_past_sessions"}
    # What posts or watches is no reading; regions are listed by their instances, as a stream and not by pages.
    assert snake - set(TOOLS) <= {"post_deploy_event", "list_regions", "stream_instances", "watch_health"}


@pytest.mark.parametrize(
    ("until", "seconds"),
    [("2026-11-22T02:30:00Z", 1795314600), ("2026-11-22T02:30", 1795314600), ("2026-11-22T04:30:00+02:00", 1795314600)],
)
def test_a_range_ends_where_it_is_told_to(until: str, seconds: int) -> None:
    start, end = asked_range(10, until)
    assert (start.seconds, end.seconds) == (seconds - 600, seconds)


@pytest.mark.parametrize(("minutes", "until"), [(10, "yesterday"), (10, "9999-99-99"), (1 << 62, "")])
def test_a_range_that_is_none_is_refused_with_a_reason(minutes: int, until: str) -> None:
    with pytest.raises(StorexError, match="TIME_RANGE_INVALID"):
        asked_range(minutes, until)


def test_all_evidence_that_the_catalogue_requires_can_be_read() -> None:
    required = {evidence.tool for cause in CATALOGUE.values() for evidence in cause.evidence}
    assert required <= set(TOOLS)


def test_a_function_without_words_is_no_tool() -> None:
    async def silent(reach: Reach, name: str) -> diagnostics_pb2.GetOverviewResponse:
        return diagnostics_pb2.GetOverviewResponse()

    async def untold(reach: Reach, name: str) -> diagnostics_pb2.GetOverviewResponse:
        """Say nothing of the argument."""
        return diagnostics_pb2.GetOverviewResponse()

    async def odd(reach: Reach, names: list[str]) -> diagnostics_pb2.GetOverviewResponse:
        """Take a list.

        names: Several.
        """
        return diagnostics_pb2.GetOverviewResponse()

    for function in (silent, untold, odd):
        with pytest.raises(ValueError, match=function.__name__):
            tool_from(function)
