"""The events of tool calls, as whoever follows the investigation sees them."""

from __future__ import annotations

import json
from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.agent.inquiry import CallOutcome
from services.agent.loop.summary import summarise
from services.agent.records import Record
from services.agent.timestamps import timestamp
from storex.agent.v1 import agent_pb2

_RANGES = (("start", "end"), ("window_start", "window_end"))


def call_started(call_id: str, tool: str, name: str, arguments: str) -> agent_pb2.AskResponse:
    """The event of a call that starts; `arguments` is a JSON object."""
    call = agent_pb2.ToolCall(call_id=call_id, tool=tool, arguments=arguments, name=name)
    return agent_pb2.AskResponse(tool_call=call)


def call_ended(outcome: CallOutcome, name: str, arguments: str, took_seconds: float) -> agent_pb2.AskResponse:
    """The event of a call that ended, or whose answer was recorded before."""
    result = agent_pb2.ToolResult(
        call_id=outcome.call_id,
        tool=outcome.request.tool,
        status=outcome.status,
        summary=summarise(outcome.records) if outcome.records else outcome.problem,
        took_seconds=took_seconds,
        arguments=arguments,
        name=name,
        reason=outcome.records[0].reason if len(outcome.records) == 1 else "",
        reused=outcome.repeated,
    )
    start, end = _window(outcome.records)
    if start is not None:
        result.window_start.CopyFrom(start)
    if end is not None:
        result.window_end.CopyFrom(end)
    return agent_pb2.AskResponse(tool_result=result)


def _window(records: tuple[Record, ...]) -> tuple[Timestamp | None, Timestamp | None]:
    """From when to when the answers reach: their range, or the window before the moment of reading, or that moment."""
    windows = [_window_of(record, record.message) for record in records if record.message is not None]
    starts = [start for start, _ in windows if start is not None]
    ends = [end for _, end in windows if end is not None]
    return min(starts, key=_order, default=None), max(ends, key=_order, default=None)


def _window_of(record: Record, message: Message) -> tuple[Timestamp | None, Timestamp | None]:
    for first, last in _RANGES:
        start, end = getattr(message, first, None), getattr(message, last, None)
        if isinstance(start, Timestamp) and isinstance(end, Timestamp) and message.HasField(last):
            return start, end
    asked = _asked_range(record)
    if asked is not None:
        return asked
    observed_at = record.observed_at
    seconds = getattr(record.health or message, "window_seconds", 0.0)
    if observed_at is None or not isinstance(seconds, float) or seconds <= 0:
        return None, observed_at
    start = Timestamp()
    start.FromNanoseconds(observed_at.ToNanoseconds() - int(seconds * 1e9))
    return start, observed_at


def _asked_range(record: Record) -> tuple[Timestamp, Timestamp] | None:
    """The range of a tool that is asked for `minutes` until a moment (`services/agent/timestamps.py`)."""
    arguments = json.loads(record.arguments or "{}")
    minutes, until = arguments.get("minutes"), arguments.get("until", "")
    if not isinstance(minutes, int) or not isinstance(until, str):
        return None
    try:
        end = datetime.fromisoformat(until).timestamp() if until else record.recorded_at
        return timestamp(end - 60.0 * minutes), timestamp(end)
    except (ValueError, OverflowError):
        return None


def _order(stamp: Timestamp) -> int:
    return stamp.ToNanoseconds()
