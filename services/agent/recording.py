"""A snapshot of what a report is about, where the region has one made at the end of an investigation.

It is made with the asker's rights, like everything that the agent does, and only of what went wrong. The report names
it, so that it can become a scenario. The region decides how often; who comes too soon gets the one that is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from services.agent.reach import Reach
from services.agent.report.coverage import loop_limit
from storex.agent.v1 import report_pb2
from storex.snapshot.v1 import snapshot_pb2

MOST_INSTANCES = 3
"""Of one report, by the impact of their causes."""
SECONDS = 8.0
"""How long one may take; the report waits for it."""
OLDER_SECONDS = 60.0
"""From when on a report says how old the snapshot is that it names."""
_WORTH_IT = (report_pb2.VERDICT_CONFIRMED, report_pb2.VERDICT_LIKELY, report_pb2.VERDICT_INCONCLUSIVE)
_NOT_MADE = "SNAPSHOT_NOT_MADE"


@dataclass(frozen=True, slots=True)
class Recording:
    """Makes the snapshots. `regions` are those that want them; each has the last word when it is asked."""

    regions: Collection[str] = ()

    async def after(self, report: report_pb2.Report, reach: Reach, seconds: float) -> None:
        """Add the names of the snapshots to a report about now, or why there is none. `seconds` are left for it."""
        names = self._worth_recording(report)
        patience = min(SECONDS, seconds)
        made = await asyncio.gather(*(_make(name, reach.within(max(patience, 0.001))) for name in names))
        for name, answer in zip(names, made, strict=True):
            if isinstance(answer, snapshot_pb2.Snapshot):
                report.snapshots.append(answer.name)
                age = report.created_at.seconds - answer.captured_at.seconds
                if age > OLDER_SECONDS:
                    text = f"The snapshot of {name} is {age} s older than this report: so soon no other one is made."
                    report.limits.append(loop_limit("SNAPSHOT_OLDER", text, name))
            elif answer.reason is not Reason.SNAPSHOT_NOT_ENABLED:
                text = f"No snapshot was made of {name}: {_why_not(answer)}"
                report.limits.append(loop_limit(_NOT_MADE, text, name))

    def _worth_recording(self, report: report_pb2.Report) -> list[str]:
        """The instances of the causes, or the target where none was found; nothing of a time that is over."""
        if not self.regions or report.HasField("about_start") or report.verdict not in _WORTH_IT:
            return []
        named = [cause.name for cause in report.root_causes] or [report.target]
        instances = list(dict.fromkeys(name for name in named if self._is_wanted(name)))
        return instances[:MOST_INSTANCES]

    def _is_wanted(self, text: str) -> bool:
        try:
            name = parse_name(text)
        except StorexError:
            return False  # a service, which has no instance of its own
        return not name.is_wildcard and name.instance is not None and name.region in self.regions


async def _make(name: str, reach: Reach) -> snapshot_pb2.Snapshot | StorexError:
    request = snapshot_pb2.CreateSnapshotRequest(name=name, trigger=snapshot_pb2.SNAPSHOT_TRIGGER_INVESTIGATION)
    try:
        return (await reach.call(reach.snapshots.CreateSnapshot, request)).snapshot
    except StorexError as error:
        return error


def _why_not(error: StorexError) -> str:
    if error.reason in (Reason.RPC_NOT_PERMITTED, Reason.RESOURCE_NOT_FOUND):
        return "you may not make snapshots of it."
    return error.public_message
