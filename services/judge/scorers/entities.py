"""How many of the things that play a part are named in their part, under the right cause."""

from __future__ import annotations

from libs.sensitivity.tokens import TOKEN
from services.judge.scorers.score import Better, Scored, Scorer, share
from storex.agent.v1.report_pb2 import Report
from storex.common.v1.entity_pb2 import Entity
from storex.judge.v1.scenario_pb2 import Truth


def _score(truth: Truth, report: Report) -> Scored | None:
    """None where nothing is known to play a part, or all that is known is hidden from whoever evaluates."""
    named = {
        (cause.kind, entity.role, entity.type, entity.value)
        for cause in report.root_causes
        for entity in cause.entities
    }
    hidden = {(kind, role, type_) for kind, role, type_, value in named if TOKEN.fullmatch(value)}
    wanted: list[tuple[str, Entity]] = [
        (cause.kind, entity)
        for cause in truth.root_causes
        for entity in cause.entities
        if (cause.kind, entity.role, entity.type) not in hidden
    ]
    if not wanted:
        return None
    missing = [
        f"{entity.role} {entity.type} of {kind} was not named"
        for kind, entity in wanted
        if (kind, entity.role, entity.type, entity.value) not in named
    ]
    return share(missing, len(wanted))


ENTITIES = Scorer("entities_by_role", "share", Better.HIGHER, gates=True, always=False, score=_score)
