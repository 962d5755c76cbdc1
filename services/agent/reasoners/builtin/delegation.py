"""Which specialist looks into which cause, and what it reads for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.agent.inquiry import ToolRequest
from services.agent.report.draft import DraftCause
from services.agent.specialists.registry import Specialist


def delegated(
    causes: Sequence[DraftCause], specialists: Mapping[str, Specialist]
) -> tuple[tuple[ToolRequest, ...], tuple[str, ...]]:
    """What the specialists ask for, all to be read side by side, and a line of the plan for each that has work."""
    requests: list[ToolRequest] = []
    plan: list[str] = []
    for specialist in specialists.values():
        own = [cause for cause in causes if cause.kind in specialist.kinds]
        if not own:
            continue
        plan.append(f"{specialist.name}: look into {', '.join(f'{cause.kind} on {cause.name}' for cause in own)}.")
        names = dict.fromkeys(cause.name for cause in own)
        wanted = [ToolRequest(tool, {"name": name}) for name in names for tool in specialist.reads]
        requests += wanted[: specialist.calls]
    return tuple(requests), tuple(plan)
