"""`show_more`: a model looks again at a recorded answer, beyond what was cut. No database is asked."""

from __future__ import annotations

from libs.llm import ToolSchema
from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.reasoners.model.decoding import decoded
from services.agent.reasoners.model.fencing import MAX_CHARACTERS, MORE, Fence
from services.agent.records import Records, status_of

SCHEMA = ToolSchema(
    MORE,
    "Show a recorded answer again, or the part of it that was cut. Use it where an answer says `not_shown`. Free.",
    {
        "type": "object",
        "properties": {
            "call": {"type": "string", "description": "The id of the call, as the note beside `not_shown` gives it."},
            "start": {"type": "integer", "description": "How many entries of the longest list to leave out."},
        },
        "required": ["call"],
        "additionalProperties": False,
    },
)


def shown_again(arguments: str, records: Records, fence: Fence, limit: int = MAX_CHARACTERS) -> str:
    """The recorded answer of a call, as a model reads it."""
    try:
        asked = decoded(arguments)
        call_id, start = asked["call"], max(0, int(asked.get("start", 0)))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return "Name the call by its id, and where to start as a whole number."
    found = tuple(record for record in records if record.call_id == call_id)
    if not found:
        return "There is no such call."
    request = ToolRequest(found[0].tool, {"name": found[0].name})
    return fence.wrap(CallOutcome(request, found[0].call_id, status_of(found), found), records, start, limit)
