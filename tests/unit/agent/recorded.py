"""Records as the loop makes them from answers."""

from __future__ import annotations

from google.protobuf.message import Message

from services.agent.records import SUCCESS, Record, Records
from services.agent.report.draft import Draft, DraftCause, EntityClaim
from services.agent.report.writing import Circumstances, write_report
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from tests.unit.agent.answers import NAME


def record(tool: str, message: Message, name: str = NAME, turn: int = 0) -> Record:
    return Record(f"call_{turn}_{tool}", turn, tool, name, SUCCESS, message)


def health_record(health: d.InstanceHealth, turn: int = 0) -> Record:
    return record("get_health", d.GetHealthResponse(health=health), health.observation.name, turn)


def claimed(finding: finding_pb2.Finding, name: str = NAME) -> DraftCause:
    entities = tuple(EntityClaim(entity.role, entity.type, entity.value) for entity in finding.entities)
    return DraftCause(finding.kind, name, finding.confidence, entities)


def report_on(records: list[Record], *causes: DraftCause, draft: Draft | None = None) -> report_pb2.Report:
    about = Circumstances(NAME, "ses_1", "builtin", 1_900_000_001.0, turn=0)
    return write_report(draft or Draft(causes=causes), Records(records), about)
