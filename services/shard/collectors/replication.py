"""Replication as the replica sees it: channels, and what slows their appliers down."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from services.shard.facts.growth import SHORTEST_WINDOW
from services.shard.facts.replica_rows import current_names, lag_of
from services.shard.mysql.connection import Row
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.sampler import REPLICA_LAG
from services.shard.view import InstanceView, real, text, timestamp, whole
from storex.diagnostics.v1 import replication_pb2

DEFAULT_CHANNEL = "default"
WINDOW = 15.0
"""How far back the lag's growth is measured, in seconds, where that much has been sampled."""
MOST_TABLES = 100
_STATES = {
    "yes": replication_pb2.REPLICATION_THREAD_STATE_RUNNING,
    "no": replication_pb2.REPLICATION_THREAD_STATE_STOPPED,
    "connecting": replication_pb2.REPLICATION_THREAD_STATE_CONNECTING,
    "preparing": replication_pb2.REPLICATION_THREAD_STATE_CONNECTING,
}
_RUNNING = replication_pb2.REPLICATION_THREAD_STATE_RUNNING
_STOPPED = replication_pb2.REPLICATION_THREAD_STATE_STOPPED
_AT_REST = ("waiting", "has read all", "replica has read all", "slave has read all", "reading event")
"""How the states of applier threads begin that have nothing to do; those that wait for a lock begin like that too."""
_BEING_MADE = "#sql"
"""How the tables are called that a change of another one makes on its way."""
_LOCK = re.compile(r"\block\b")


async def get_replication(
    view: InstanceView, _request: replication_pb2.GetReplicationRequest
) -> replication_pb2.GetReplicationResponse:
    """Read the replica's status, and, where it lags, what its appliers do."""
    began = view.clock.now()
    results = await view.source.read(Statement.REPLICA_STATUS, Statement.SERVER)
    channels = [_channel(current_names(row)) for row in results.rows(Statement.REPLICA_STATUS)]
    work = None
    if any(channel.lag_seconds > 0.0 or channel.queued_bytes for channel in channels):
        work = await view.source.read(Statement.APPLIERS, Statement.APPLIER_LOCKS, Statement.KEYLESS_TABLES)
    response = replication_pb2.GetReplicationResponse(
        observation=view.observation(began, results, *([] if work is None else work.limits())),
        is_replica=bool(channels),
        channels=channels,
        read_only=any(bool(whole(row["read_only"])) for row in results.rows(Statement.SERVER)),
    )
    if work is not None:
        keyless = [_table(row) for row in work.rows(Statement.KEYLESS_TABLES)]
        response.tables_without_key.extend(sorted(keyless)[:MOST_TABLES])
        response.appliers.extend(_appliers(work, frozenset(keyless)))
    _add_growth(response, view)
    return response


def _channel(row: Row) -> replication_pb2.ReplicationChannel:
    receiver, applier = (_state(row, thread) for thread in ("replica_io_running", "replica_sql_running"))
    channel = replication_pb2.ReplicationChannel(
        channel=text(row.get("channel_name") or row.get("connection_name")) or DEFAULT_CHANNEL,
        source_host=text(row.get("source_host")),
        source_port=whole(row.get("source_port")),
        receiver=receiver,
        applier=applier,
        runs=receiver == applier == _RUNNING,
        lag_seconds=lag_of(row),
        delay_seconds=real(row.get("sql_delay")),
        receiver_error_code=whole(row.get("last_io_errno")),
        applier_error_code=whole(row.get("last_sql_errno")),
        queued_bytes=_queued(row),
        source_server_id=whole(row.get("source_server_id")),
        source_server_uuid=text(row.get("source_uuid")),
    )
    stopped = [name for name, state in (("receiver", receiver), ("applier", applier)) if state == _STOPPED]
    channel.stopped_thread = " and ".join(stopped)
    _add_error(channel, row)
    return channel


def _state(row: Row, thread: str) -> replication_pb2.ReplicationThreadState.ValueType:
    return _STATES.get(
        text(row.get(thread)).partition(" ")[0].lower(), replication_pb2.REPLICATION_THREAD_STATE_UNSPECIFIED
    )


def _add_error(channel: replication_pb2.ReplicationChannel, row: Row) -> None:
    """An error counts while its thread does not run: engines keep the last one after it was mended."""
    if channel.applier_error_code and channel.applier != _RUNNING:
        channel.error_code, when = channel.applier_error_code, "last_sql_error_timestamp"
    elif channel.receiver_error_code and channel.receiver != _RUNNING:
        channel.error_code, when = channel.receiver_error_code, "last_io_error_timestamp"
    else:
        return
    try:
        at = datetime.strptime(text(row.get(when)).partition(".")[0], "%y%m%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return  # not every engine tells
    channel.error_at.CopyFrom(timestamp(at.timestamp()))


def _queued(row: Row) -> int:
    """Bytes between what was read and what was applied of one log file; across files at most the relay logs' size."""
    read, applied = whole(row.get("read_source_log_pos")), whole(row.get("exec_source_log_pos"))
    if text(row.get("source_log_file")) == text(row.get("relay_source_log_file")):
        return max(0, read - applied)
    return whole(row.get("relay_log_space"))


def _table(row: Row) -> str:
    return f"{text(row['schema_name'])}.{text(row['table_name'])}"


def _appliers(work: ResultSets, keyless: frozenset[str]) -> list[replication_pb2.ApplierWork]:
    tables: dict[int, list[str]] = {}
    for row in work.rows(Statement.APPLIER_LOCKS):
        if text(row["table_name"]).startswith(_BEING_MADE):
            continue
        tables.setdefault(whole(row["connection_id"]), []).append(_table(row))
    found = []
    for row in work.rows(Statement.APPLIERS):
        connection_id, state = whole(row["connection_id"]), text(row["state"])
        # Of several tables of one transaction the one without a key is where the time goes.
        mine = sorted(tables.get(connection_id, []), key=lambda table: (table not in keyless, table))
        if not mine and _is_at_rest(state.lower()):
            continue
        found.append(
            replication_pb2.ApplierWork(
                connection_id=connection_id,
                state=state,
                seconds=round(max(0.0, real(row["seconds"])), 3),
                table=mine[0] if mine else "",
                table_without_key=bool(mine) and mine[0] in keyless,
            )
        )
    # Of several appliers an engine may not say which one it is.
    if unowned := sorted(tables.get(0, []), key=lambda table: (table not in keyless, table)):
        found.append(replication_pb2.ApplierWork(table=unowned[0], table_without_key=unowned[0] in keyless))
    return sorted(found, key=lambda one: (not one.table_without_key, not one.table, -one.seconds))


def _is_at_rest(state: str) -> bool:
    return not state or (state.startswith(_AT_REST) and _LOCK.search(state) is None)


def _add_growth(response: replication_pb2.GetReplicationResponse, view: InstanceView) -> None:
    lags = [channel.lag_seconds for channel in response.channels if channel.HasField("lag_seconds")]
    now = view.clock.monotonic()
    before = view.history.status_before(now, WINDOW)
    if not lags or before is None or REPLICA_LAG not in before.values or now - before.at < SHORTEST_WINDOW:
        return
    response.window_seconds = round(now - before.at, 3)
    response.lag_growth = round(max(lags) - before.values[REPLICA_LAG], 3)
