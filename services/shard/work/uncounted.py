"""Statements that the engine counts under no digest: what limits every answer that is made of digests."""

from __future__ import annotations

from collections.abc import Iterator

from libs.redaction.sql import OWN_DIGEST
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.view import InstanceView
from services.shard.work.digest_window import LostWork
from storex.common.v1 import entity_pb2

UNSEEN_LOAD, UNSEEN_CALLS = 0.05, 5.0
"""Sessions busy with statements that have no digest, or their calls a second, that may hide one that matters."""
UNSEEN_SHARE = 0.25
"""What is counted and what is executed were read at other moments: so far they may be apart."""
_CALLS = DIGEST_COUNTERS.index("calls")
_EXECUTED = "Com_stmt_execute"
_PICO = 1e12


def table_full(lost: LostWork, seconds: float) -> Iterator[entity_pb2.Limit]:
    """Limits where, in so many seconds, statements found no place in the engine's table of digests."""
    if not lost.calls:
        return
    remedy = (
        "Raise performance_schema_digests_size, or TRUNCATE performance_schema.events_statements_summary_by_digest."
    )
    message = f"{lost.calls} calls in the window are counted under no digest: the engine's table of digests is full."
    yield entity_pb2.Limit(source="statement_digests", code="DIGEST_TABLE_FULL", message=message, remedy=remedy)
    load = lost.picoseconds / _PICO / seconds
    if load >= UNSEEN_LOAD or lost.calls >= UNSEEN_CALLS * seconds:
        message = (
            f"Statements that keep {load:.2f} sessions busy are counted under no digest, and cannot be told apart."
        )
        yield entity_pb2.Limit(source="statement_digests", code="STATEMENTS_UNSEEN", message=message, remedy=remedy)


def prepared(view: InstanceView, results: ResultSets, since: float) -> Iterator[entity_pb2.Limit]:
    """MariaDB gives no digest to what clients prepare in binary; of handles that are soon closed nothing is counted."""
    samples = [one for one in view.history.status if one.at >= since and _EXECUTED in one.values]
    if results.capabilities.engine != "MariaDB" or len(samples) < 2 or samples[-1].at <= samples[0].at:
        return
    rate = (samples[-1].values[_EXECUTED] - samples[0].values[_EXECUTED]) / (samples[-1].at - samples[0].at)
    unseen = rate - _counted(view, since)
    if unseen >= max(UNSEEN_CALLS, UNSEEN_SHARE * rate):
        yield entity_pb2.Limit(
            source="statement_digests",
            code="PREPARED_UNSEEN",
            message=(
                f"{unseen:.0f} statements a second are prepared in binary and counted nowhere: this engine counts them"
                " for as long as their handles are kept."
            ),
            remedy=(
                "Let clients keep what they prepared, or send statements as text (useServerPrepStmts=false, emulated"
                " prepares and the like)."
            ),
        )


def _counted(view: InstanceView, since: float) -> float:
    """How many of them a second were counted all the same."""
    samples = [one for one in view.history.digests if one.at >= since]
    if len(samples) < 2 or samples[-1].at <= samples[0].at:
        return 0.0
    first, last = samples[0].counters, samples[-1].counters
    own = [key for key in last if key[1].startswith(OWN_DIGEST)]
    calls = sum(last[key][_CALLS] - first[key][_CALLS] if key in first else last[key][_CALLS] for key in own)
    return calls / (samples[-1].at - samples[0].at)
