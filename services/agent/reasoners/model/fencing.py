"""What a model is shown of a tool's answer: trimmed to size, free of principals, fenced as data."""

from __future__ import annotations

import json
import secrets
from typing import Any

from google.protobuf import json_format

from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome
from services.agent.records import Record
from storex.agent.v1 import agent_pb2

MAX_CHARACTERS = 12_000
"""Most that is shown of one answer."""
_SHORTEST_LIST = 3


class Fence:
    """Wraps answers between marks that nobody who writes into a database can know beforehand."""

    def __init__(self, view: ModelView) -> None:
        self._view = view
        self._mark = secrets.token_hex(8)

    def wrap(self, outcome: CallOutcome) -> str:
        """The outcome of a call as a model reads it."""
        status = agent_pb2.ToolStatus.Name(outcome.status).removeprefix("TOOL_STATUS_")
        lines = [f"{outcome.request.tool} {status}"]
        if outcome.repeated:
            lines.append("You asked this before; this is the same answer.")
        if outcome.problem:
            lines.append(outcome.problem)
        body = trimmed([self._shown(record) for record in outcome.records if record.message is not None])
        if body:
            lines += [f"<DATA {self._mark}>", body, f"</DATA {self._mark}>"]
        return "\n".join(lines)

    def _shown(self, record: Record) -> dict[str, Any]:
        if record.message is None:
            return {}
        shown = self._view.show(record.message)
        return dict(json_format.MessageToDict(shown, preserving_proto_field_name=True))


def trimmed(answers: list[dict[str, Any]], limit: int = MAX_CHARACTERS) -> str:
    """The answers as JSON within `limit` characters: the longest lists lose their tail, and say how much."""
    if not answers:
        return ""
    whole: Any = answers if len(answers) > 1 else answers[0]
    text = json.dumps(whole, ensure_ascii=False)
    while len(text) > limit:
        longest = max(_lists(whole), key=lambda entries: len(json.dumps(entries)), default=[])
        if len(longest) <= _SHORTEST_LIST:
            return text[:limit] + " ... cut here"
        _halve(longest)
        text = json.dumps(whole, ensure_ascii=False)
    return text


def _halve(entries: list[Any]) -> None:
    before = int(entries.pop()["not_shown"]) if _is_note(entries[-1]) else 0
    kept = max(_SHORTEST_LIST - 1, len(entries) // 2)
    cut = len(entries) - kept
    entries[kept:] = [{"not_shown": before + cut}]


def _is_note(entry: Any) -> bool:
    return isinstance(entry, dict) and set(entry) == {"not_shown"}


def _lists(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        return [found for member in value.values() for found in _lists(member)]
    if isinstance(value, list):
        return [value, *(found for member in value for found in _lists(member))]
    return []
