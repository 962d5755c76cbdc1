"""What was asked of models, summed up for whoever answers for the bill."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.clock import Clock
from libs.llm.ledger import Group, Ledger, Sum
from services.agent.timestamps import epoch_seconds, timestamp
from storex.agent.v1 import agent_pb2

DAY_SECONDS = 86400.0
_GROUPS = {
    agent_pb2.USAGE_GROUP_UNSPECIFIED: Group.SUBJECT,
    agent_pb2.USAGE_GROUP_SUBJECT: Group.SUBJECT,
    agent_pb2.USAGE_GROUP_TEAM: Group.TEAM,
    agent_pb2.USAGE_GROUP_MODEL: Group.MODEL,
    agent_pb2.USAGE_GROUP_PROMPT: Group.PROMPT,
    agent_pb2.USAGE_GROUP_OUTCOME: Group.OUTCOME,
}


@dataclass(frozen=True, slots=True)
class ModelUsageReport:
    """Sums over the ledger."""

    ledger: Ledger
    clock: Clock
    currency: str

    async def answer(self, request: agent_pb2.ListModelUsageRequest) -> agent_pb2.ListModelUsageResponse:
        """The sums; from the start of the day, UTC, where the request names no start."""
        now = self.clock.now()
        since = epoch_seconds(request.start) if request.HasField("start") else now - now % DAY_SECONDS
        sums = await self.ledger.sums(_GROUPS.get(request.group, Group.SUBJECT), since)
        return agent_pb2.ListModelUsageResponse(usage=map(_usage, sums), currency=self.currency, start=timestamp(since))


def _usage(entry: Sum) -> agent_pb2.ModelUsage:
    return agent_pb2.ModelUsage(
        key=entry.key,
        calls=entry.calls,
        failed=entry.failed,
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        cost=entry.cost,
        slowest_seconds=entry.slowest_seconds,
    )
