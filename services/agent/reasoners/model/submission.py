"""`submit_report`: how a model hands in its diagnosis, and what is taken from it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from libs.core.catalogue import CATALOGUE, ROLES
from libs.core.errors import StorexError
from libs.core.names import parse_name
from libs.llm import ToolSchema
from libs.sensitivity.model_view import ModelView
from services.agent.reasoners.model.decoding import decoded
from services.agent.report.draft import Draft, DraftCause, EntityClaim
from storex.common.v1 import entity_pb2

SUBMIT = "submit_report"
MAX_CAUSES = 8
MAX_ENTITIES = 60
MAX_TEXT = 2000
MAX_VALUE = 300
"""Longest value of an entity, in characters: no name in a database is longer."""

_TYPES = [name.removeprefix("ENTITY_TYPE_").lower() for name in entity_pb2.EntityType.keys()[1:]]
_ENTITY = {
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": list(ROLES)},
        "type": {"type": "string", "enum": _TYPES},
        "value": {"type": "string"},
    },
    "required": ["role", "type", "value"],
}
_CAUSE = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": list(CATALOGUE)},
        "name": {"type": "string", "description": "The instance, as regions/REGION/instances/INSTANCE."},
        "summary": {"type": "string", "description": "What is wrong, in a sentence."},
        "confidence": {"type": "number", "description": "How sure, 0 to 1."},
        "entities": {"type": "array", "items": _ENTITY},
    },
    "required": ["kind", "name", "entities"],
}
SCHEMA = ToolSchema(
    SUBMIT,
    "Hand in the diagnosis and end the investigation. An empty list of root causes means that none was found.",
    {
        "type": "object",
        "properties": {
            "answer": {"type": "string", "description": "The answer to the question, in two or three sentences."},
            "root_causes": {"type": "array", "items": _CAUSE},
        },
        "required": ["answer", "root_causes"],
    },
)


class SubmissionError(ValueError):
    """A submission that does not have the shape asked for; the text tells the model what to mend."""


def parse_submission(arguments: str, view: ModelView) -> Draft:
    """The draft in a model's JSON, with real names in the place of tokens. Raises SubmissionError."""
    try:
        submitted = decoded(arguments)
    except ValueError:
        raise SubmissionError("the arguments are not JSON") from None
    if not isinstance(submitted, dict) or not isinstance(submitted.get("root_causes"), list):
        raise SubmissionError("root_causes must be a list")
    causes = tuple(_cause(entry, view) for entry in submitted["root_causes"][:MAX_CAUSES])
    answer = submitted.get("answer", "")
    return Draft(causes, answer=_text(answer, view))


def _cause(entry: Any, view: ModelView) -> DraftCause:
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str) or entry["kind"] not in CATALOGUE:
        raise SubmissionError("each root cause needs a kind from the list of kinds")
    name, entities = entry.get("name"), entry.get("entities", [])
    try:
        named = str(parse_name(name if isinstance(name, str) else ""))
    except StorexError:
        raise SubmissionError("each root cause needs the name of its instance") from None
    if not isinstance(entities, list):
        raise SubmissionError("entities must be a list")
    return DraftCause(
        kind=entry["kind"],
        name=named,
        confidence=_confidence(entry.get("confidence", 0.5)),
        entities=tuple(_entity(claim, view) for claim in entities[:MAX_ENTITIES]),
        summary=_text(entry.get("summary", ""), view),
    )


def _entity(claim: Any, view: ModelView) -> EntityClaim:
    if not isinstance(claim, dict):
        raise SubmissionError("each entity needs role, type and value")
    role, type_, value = claim.get("role"), claim.get("type"), claim.get("value")
    if role not in ROLES or type_ not in _TYPES or not isinstance(value, str | int):
        raise SubmissionError(f"an entity's role is one of {', '.join(ROLES)}; its type one of {', '.join(_TYPES)}")
    return EntityClaim(role, type_, view.restore(str(value)[:MAX_VALUE]))


def _confidence(value: Any) -> float:
    sure = float(min(1, max(0, value))) if isinstance(value, int | float) else 0.5
    return sure if isfinite(sure) else 0.5


def _text(value: Any, view: ModelView) -> str:
    return view.restore(value[:MAX_TEXT]) if isinstance(value, str) else ""
