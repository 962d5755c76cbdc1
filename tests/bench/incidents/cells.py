"""One cell: an incident on a server of its own, a question about it through the whole mesh, and what came of it."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from libs.cli.judge.recording import BEFORE_SECONDS, QUESTION, LabMesh, at_work
from libs.client import CallError
from libs.lab.engines import EngineBinary
from libs.lab.errors import LabError
from libs.lab.incidents import Incident
from libs.lab.truth import HEALTHY, Truth
from storex.agent.v1 import agent_pb2, report_pb2
from tests.bench.incidents.grounds import recorded_answers, unsupported
from tests.integration.shard.matrix.judging import Root, problems
from tests.integration.shard.matrix.watching import shown

FOLDER = Path(__file__).parents[3] / "build" / "incidents"
PAGED_AFTER = 12.0
"""Seconds from an incident's coming about to the question: nobody is paged sooner."""
WITH_HOLDER = ("lock.", "replication.", "two.blocker", "herring.blocker", "herring.metadata")
"""Beginnings of the incidents in which it must be right who holds what, or which channel it is."""


@dataclass(slots=True)
class Cell:
    """What came of one incident on one engine. `unmade` says why it could not be brought about."""

    incident: str
    title: str
    engine: str
    version: str
    at: str
    unmade: str = ""
    verdict: str = ""
    told: list[str] = field(default_factory=list)
    """The causes that the report names, by kind."""
    exact: bool = False
    """Whether they are exactly those that are there."""
    wrong: list[str] = field(default_factory=list)
    """What of causes and entities is wrong or missing, in sentences."""
    unsupported: list[str] = field(default_factory=list)
    """Claims of the report that its recorded answers do not show."""
    claims: int = 0
    """Claims that were looked up."""
    struck: int = 0
    seconds: float = 0.0
    tool_calls: int = 0
    answer: str = ""

    @property
    def is_control(self) -> bool:
        """Whether nothing is wrong there."""
        return self.incident.partition(".")[0] == HEALTHY

    @property
    def silent(self) -> bool:
        """Of a control: whether the report says that nothing is wrong."""
        return self.verdict == "HEALTHY" and not self.told

    @property
    def wrongly_confirmed(self) -> bool:
        """Whether it calls confirmed what is not so."""
        return self.verdict == "CONFIRMED" and not (self.exact and not self.wrong)

    def write(self) -> None:
        """Keep it where the documentation is made from."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{self.engine}-{self.incident}.json"
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def run_cell(mesh: LabMesh, incident: Incident, binary: EngineBinary, place: int) -> Cell:
    """Bring the incident about, ask once, and judge the report by what the lab knows and by what was recorded."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    cell = Cell(incident.id, incident.title, binary.kind, binary.version, now)
    slug = f"db-{secrets.token_hex(4)}"  # nothing may be known from a name
    try:
        with at_work(mesh.folder / "servers" / slug, incident, binary, place) as (fleet, looked_at):
            name = mesh.serve(slug, fleet, looked_at)
            time.sleep(BEFORE_SECONDS)
            running = fleet.inject(incident.id, looked_at)
            time.sleep(PAGED_AFTER)
            _ask(mesh, name, shown(running.truth, binary.kind), cell)
            running.stop()
    except LabError as error:
        cell.unmade = str(error)
    except CallError as error:
        cell.wrong.append(f"The question failed: {error.message}")
    finally:
        mesh.release(slug)
    return cell


def _ask(mesh: LabMesh, name: str, truth: Truth, cell: Cell) -> None:
    started = time.perf_counter()
    report = report_pb2.Report()
    with mesh.client() as client:
        request = agent_pb2.AskRequest(target=name, question=QUESTION)
        for event in client.stream(client.agent.Ask, request):
            if event.HasField("report"):
                report = event.report
    cell.seconds = round(time.perf_counter() - started, 3)
    roots = [
        Root(cause.kind, frozenset((part.role, part.type, part.value) for part in cause.entities), cause.summary)
        for cause in report.root_causes
    ]
    cell.verdict = report_pb2.Verdict.Name(report.verdict).removeprefix("VERDICT_")
    cell.told = [root.kind for root in roots]
    cell.exact = Counter(cell.told) == Counter(fault.kind for fault in truth.faults)
    cell.wrong = list(dict.fromkeys(problems(roots, truth)))
    recorded = recorded_answers(mesh.folder / "state" / "agent" / "sessions.db", report.session_id)
    cell.claims, cell.unsupported = unsupported(report, recorded)
    cell.struck = len(report.struck)
    cell.tool_calls = report.usage.tool_calls
    cell.answer = report.answer
