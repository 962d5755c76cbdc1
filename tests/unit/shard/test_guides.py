"""What the guides for the shard show works as they say."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from services.shard.detectors.readings import Detection, Readings
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import History
from storex.diagnostics.v1 import diagnostics_pb2
from tests.unit.shard.recorded import RecordedSource, view_of

_GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def _code(guide: str) -> dict[str, Any]:
    """The names that the guide's one example defines."""
    (block,) = re.findall(r"```python\n(.*?)\n *```", (_GUIDES / guide).read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(textwrap.dedent(block), guide, "exec"), names)
    return names


async def test_the_collector_in_the_guide_reads_a_recorded_server() -> None:
    rows: dict[Statement, list[dict[str, Any]]] = {
        Statement.GLOBAL_STATUS: [{"variable_name": "Uptime", "value": "12"}]
    }
    collect = _code("add-a-collector.md")["get_uptime"]
    answer = await collect(view_of(RecordedSource(rows)), diagnostics_pb2.GetOverviewRequest())
    assert answer.uptime_seconds == 12
    assert answer.observation.name


def test_the_detector_in_the_guide_tells_blind_well_and_ill_apart() -> None:
    detect = _code("add-a-detector.md")["detect"]

    def detection(**answers: diagnostics_pb2.GetConnectionsResponse) -> Detection:
        found: Detection = detect(Readings(answers, {}, History(), 0.0, 0.0))
        return found

    assert detection().not_checked
    well = detection(get_connections=diagnostics_pb2.GetConnectionsResponse(current=1, max_connections=2))
    assert (well.findings, well.reason) == ((), "1 of 2 connections are in use.")
    ill = detection(get_connections=diagnostics_pb2.GetConnectionsResponse(current=2, max_connections=2))
    assert [finding.kind for finding in ill.findings] == ["connections.exhausted"]
