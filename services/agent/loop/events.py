"""The events of tool calls, as whoever follows the investigation sees them."""

from __future__ import annotations

import json

from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.loop.summary import summarise
from storex.agent.v1 import agent_pb2


def call_started(call_id: str, request: ToolRequest) -> agent_pb2.AskResponse:
    """The event of a call that starts."""
    arguments = json.dumps(dict(request.arguments), sort_keys=True, ensure_ascii=False)
    return agent_pb2.AskResponse(tool_call=agent_pb2.ToolCall(call_id=call_id, tool=request.tool, arguments=arguments))


def call_ended(outcome: CallOutcome, took_seconds: float) -> agent_pb2.AskResponse:
    """The event of a call that ended."""
    return agent_pb2.AskResponse(
        tool_result=agent_pb2.ToolResult(
            call_id=outcome.call_id,
            tool=outcome.request.tool,
            status=outcome.status,
            summary=summarise(outcome.records),
            took_seconds=took_seconds,
        )
    )
