"""Every guide, by the catalogue id that it is for; what is not listed gets the generic one."""

from __future__ import annotations

from services.agent.report.causes.auto_increment import AutoIncrement
from services.agent.report.causes.buffer_pool import BufferPool
from services.agent.report.causes.cause import NO_RISK, CauseGuide, Facts, Link, Step, Supporting
from services.agent.report.causes.commit_flush import CommitFlush
from services.agent.report.causes.connection_leak import ConnectionLeak
from services.agent.report.causes.connections_exhausted import ConnectionsExhausted
from services.agent.report.causes.deadlock import Deadlock
from services.agent.report.causes.failed_logins import FailedLogins
from services.agent.report.causes.global_read_lock import GlobalReadLock
from services.agent.report.causes.heavy_scan import HeavyScan
from services.agent.report.causes.hot_row import HotRow
from services.agent.report.causes.metadata_lock import MetadataLock
from services.agent.report.causes.missing_index import MissingIndex
from services.agent.report.causes.n_plus_one import NPlusOne
from services.agent.report.causes.plan_regression import PlanRegression
from services.agent.report.causes.purge_lag import PurgeLag
from services.agent.report.causes.read_only import ReadOnly
from services.agent.report.causes.redo_stall import RedoStall
from services.agent.report.causes.replication_error import ReplicationError
from services.agent.report.causes.replication_lag import ReplicationLag
from services.agent.report.causes.replication_stopped import ReplicationStopped
from services.agent.report.causes.retry_storm import RetryStorm
from services.agent.report.causes.row_blocker import RowBlocker
from services.agent.report.causes.table_change import TableChange
from services.agent.report.causes.table_full import TableFull
from services.agent.report.causes.temp_spill import TempSpill
from services.agent.report.causes.traffic_spike import TrafficSpike
from services.agent.report.causes.unindexed_write import UnindexedWrite
from services.agent.report.causes.variable_change import VariableChange

_ALL: tuple[CauseGuide, ...] = (
    RowBlocker(),
    MetadataLock(),
    GlobalReadLock(),
    Deadlock(),
    HotRow(),
    UnindexedWrite(),
    MissingIndex(),
    PlanRegression(),
    TempSpill(),
    HeavyScan(),
    NPlusOne(),
    TrafficSpike(),
    RetryStorm(),
    ConnectionsExhausted(),
    ConnectionLeak(),
    PurgeLag(),
    BufferPool(),
    CommitFlush(),
    RedoStall(),
    ReplicationStopped(),
    ReplicationError(),
    ReplicationLag(),
    AutoIncrement(),
    TableFull(),
    TableChange(),
    FailedLogins(),
    ReadOnly(),
    VariableChange(),
)
GUIDES: dict[str, CauseGuide] = {guide.kind: guide for guide in _ALL}


class Generic:
    """For a kind that has no guide yet: the shard's own words, and nothing that changes anything."""

    supporting: tuple[Supporting, ...] = ()

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def summary(self, facts: Facts) -> str:
        """The shard's summary."""
        return facts.fallback

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The shard's summary as the only link."""
        return (Link(facts.fallback, ()),) if facts.fallback else ()

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """Look again."""
        return (
            Step("Look at the instance's health again in a minute.", NO_RISK, f"storex diag health {facts.cause.name}"),
        )


def guide_for(kind: str) -> CauseGuide:
    """The guide for a catalogue id."""
    return GUIDES.get(kind) or Generic(kind)
