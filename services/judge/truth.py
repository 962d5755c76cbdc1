"""Checks a scenario before it is kept.

A truth with a word that no report can say would fail every candidate. One with what looks like customer data is refused
and not scrubbed, as questions are: a truth that was changed is none.
"""

from __future__ import annotations

import re

from libs.core.catalogue import CATALOGUE
from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from libs.redaction.prose import scrub
from storex.common.v1.entity_pb2 import Entity
from storex.judge.v1.scenario_pb2 import Scenario

HEALTHY_FAMILY = "healthy"
MOST_QUESTIONS = 5
_LIKE_DATA = "holds quoted text, a long number, hex or an address, which could be customer data: leave that out"
_DIGEST = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?", re.ASCII)
"""MD5 on MariaDB, SHA-256 on MySQL."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}", re.ASCII)


def checked(scenario: Scenario) -> Scenario:
    """The scenario as it is kept: with its family filled in and its questions scrubbed.

    Raises StorexError REQUEST_INVALID or NAME_INVALID.
    """
    if _ID.fullmatch(scenario.scenario_id) is None:
        raise _invalid("scenario_id", "letters, digits, '.', '_', '@' and '-', at most 100, a letter or digit first")
    if parse_name(scenario.world, snapshots=True).snapshot is None:
        raise _invalid("world", "it must name a snapshot: regions/R/instances/I/snapshots/S")
    if not 1 <= len(scenario.questions) <= MOST_QUESTIONS or not all(text.strip() for text in scenario.questions):
        raise _invalid("questions", f"there must be 1 to {MOST_QUESTIONS}, and none may be empty")
    _check_truth(scenario)
    kept = Scenario()
    kept.CopyFrom(scenario)
    kept.family = scrub(scenario.family) or _family(scenario)
    del kept.questions[:]
    kept.questions.extend(map(scrub, scenario.questions))  # people type both
    return kept


def _check_truth(scenario: Scenario) -> None:
    truth = scenario.truth
    kinds = [cause.kind for cause in truth.root_causes]
    kinds += [kind for edge in truth.causal_edges for kind in (edge.cause, edge.effect)]
    kinds += truth.traps
    unknown = sorted({kind for kind in kinds if kind not in CATALOGUE})
    if unknown:
        raise _invalid("truth", f"the catalogue has no {', '.join(unknown)}")
    there = {cause.kind for cause in truth.root_causes}
    if both := sorted(there & set(truth.traps)):
        raise _invalid("truth.traps", f"{', '.join(both)} is a root cause too")
    for cause in truth.root_causes:
        parts = {(part.role, part.type) for part in CATALOGUE[cause.kind].entities}
        for entity in cause.entities:
            if (entity.role, entity.type) not in parts:
                raise _invalid("truth", f"{cause.kind} has no part {entity.role} {entity.type} in the catalogue")
            if not _is_digest(entity) and scrub(entity.value) != entity.value:
                raise _invalid(
                    f"truth.root_causes.{cause.kind}", f"the value of {entity.role} {entity.type} {_LIKE_DATA}"
                )
    for place, command in enumerate(truth.forbidden_commands, start=1):
        if scrub(command) != command:
            raise _invalid("truth.forbidden_commands", f"number {place} {_LIKE_DATA}")


def _is_digest(entity: Entity) -> bool:
    """Whether it is a statement's digest as an engine writes it, which is hex and tells nothing of what was in it."""
    return entity.type == "statement_digest" and _DIGEST.fullmatch(entity.value) is not None


def _family(scenario: Scenario) -> str:
    causes = scenario.truth.root_causes
    return CATALOGUE[causes[0].kind].family if causes else HEALTHY_FAMILY


def _invalid(field: str, problem: str) -> StorexError:
    return StorexError(Reason.REQUEST_INVALID, field=f"scenario.{field}", problem=problem)
