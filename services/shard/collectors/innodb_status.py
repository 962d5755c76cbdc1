"""The InnoDB monitor, parsed into typed fields; none of its text leaves."""

from __future__ import annotations

from services.shard.facts.growth import STATUS_STATEMENTS, status_of
from services.shard.mysql.innodb_monitor import DeadlockParty, LastDeadlock, parse_monitor
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text, timestamp, whole
from services.shard.work.statement_texts import StatementTexts
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2

DEADLOCKS = "Innodb_deadlocks"
DEADLOCK_WINDOW = 60.0
"""The span that deadlocks are counted over, in seconds, where that much has been sampled."""

_UNCOUNTED = entity_pb2.Limit(
    source="innodb_counters",
    code="DEADLOCKS_UNCOUNTED",
    message="There was a deadlock, but InnoDB does not count them: whether they go on is not known.",
    remedy="SET GLOBAL innodb_monitor_enable = 'lock_deadlocks'.",
)


async def get_innodb_status(
    view: InstanceView, _request: diagnostics_pb2.GetInnodbStatusRequest
) -> diagnostics_pb2.GetInnodbStatusResponse:
    """Read SHOW ENGINE INNODB STATUS, and from the status counters what newer engines no longer print there."""
    began = view.clock.now()
    results = await view.source.read(Statement.INNODB_STATUS, *STATUS_STATEMENTS)
    printed = "".join(text(row["status"]) for row in results.rows(Statement.INNODB_STATUS)[:1])
    monitor = parse_monitor(printed)
    status = status_of(results)
    # Where nobody ever deadlocked nothing is missed by not counting.
    uncounted = [_UNCOUNTED] if DEADLOCKS not in status and monitor.deadlock is not None else []
    response = diagnostics_pb2.GetInnodbStatusResponse(
        observation=view.observation(began, results, *uncounted),
        row_lock_waits=whole(status.get("Innodb_row_lock_waits")),
        active_transactions=monitor.active_transactions,
    )
    for name, value in monitor.numbers.items():
        setattr(response, name, value)
    if "Innodb_history_list_length" in status:
        response.history_list_length = whole(status["Innodb_history_list_length"])
    _add_deadlocks(response, view, status)
    response.checkpoint_age = max(0, response.log_sequence_number - response.last_checkpoint)
    if monitor.deadlock is not None:
        response.last_deadlock.CopyFrom(_deadlock(monitor.deadlock, began, view.texts))
    return response


def _add_deadlocks(
    response: diagnostics_pb2.GetInnodbStatusResponse, view: InstanceView, status: dict[str, object]
) -> None:
    now = view.clock.monotonic()
    response.deadlocks = whole(status.get(DEADLOCKS))
    before = view.history.status_before(now, DEADLOCK_WINDOW)
    if before is not None and DEADLOCKS in before.values:
        response.deadlocks_in_window = max(0, response.deadlocks - int(before.values[DEADLOCKS]))
        response.window_seconds = round(now - before.at, 3)


def _deadlock(found: LastDeadlock, began: float, texts: StatementTexts) -> diagnostics_pb2.Deadlock:
    deadlock = diagnostics_pb2.Deadlock(
        transactions=[_transaction(party, texts) for party in found.parties], victim=found.victim
    )
    if found.age_seconds is not None:
        deadlock.detected_at.CopyFrom(timestamp(began - found.age_seconds))
    return deadlock


def _transaction(party: DeadlockParty, texts: StatementTexts) -> diagnostics_pb2.DeadlockTransaction:
    transaction = diagnostics_pb2.DeadlockTransaction(
        connection_id=party.connection_id,
        user=party.user,
        host=party.host,
        waiting_table=party.waiting_table,
        waiting_index=party.waiting_index,
        waiting_mode=party.waiting_mode,
    )
    if party.sql:
        transaction.statement.CopyFrom(texts.of_text(party.sql).proto())
    return transaction
