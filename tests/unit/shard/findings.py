"""What every finding must satisfy, and readings to make one from."""

from __future__ import annotations

import re
from collections.abc import Mapping

from google.protobuf.message import Message

from libs.core.catalogue import CATALOGUE
from libs.sensitivity.paths import resolve_path
from services.shard.detectors.readings import Readings
from services.shard.sampler.history import History
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import finding_pb2, session_pb2
from tests.clock import ManualClock

NOW = ManualClock().now()


def readings(history: History | None = None, **answers: Message) -> Readings:
    return Readings(answers=answers, failures={}, history=history or History(), at=NOW, now=NOW)


def entities(finding: finding_pb2.Finding) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in finding.entities:
        found.setdefault((one.role, one.type), []).append(one.value)
    return found


def check_against_the_catalogue(finding: finding_pb2.Finding, answers: Mapping[str, Message]) -> None:
    """Evidence is what stands at its path, a confirmed report has all to cite, and entities have known parts."""
    entry = CATALOGUE[finding.kind]
    for evidence in finding.evidence:
        assert (evidence.value, evidence.value_class) == resolve_path(answers[evidence.tool], evidence.path)
    named = entities(finding)
    for required in entry.evidence:
        pattern = re.compile(re.escape(required.path).replace(r"\[\*\]", r"\[\d+\]"))
        cited = [one.value for one in finding.evidence if one.tool == required.tool and pattern.fullmatch(one.path)]
        assert cited, required.path
        if required.entity is not None:
            assert set(cited) & set(named[required.entity.role, required.entity.type])
    allowed = {(entity.role, entity.type) for entity in entry.entities}
    assert set(named) <= allowed
    assert {(entity.role, entity.type) for entity in entry.entities if entity.required} <= set(named)


def principals_of(finding: finding_pb2.Finding) -> set[str]:
    return {one.value for one in finding.entities if one.type in ("user", "host", "program")}


def check_prose(finding: finding_pb2.Finding) -> None:
    prose = [finding.summary, *(evidence.statement for evidence in finding.evidence)]
    assert not [text for text in prose for principal in principals_of(finding) if principal in text]


def limited(answer: Message, source: str, code: str) -> None:
    observation: session_pb2.Observation = getattr(answer, "observation")  # noqa: B009
    observation.limits.append(entity_pb2.Limit(source=source, code=code))
