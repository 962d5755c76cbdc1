"""How often the server commits, and what each commit costs."""

from __future__ import annotations

import statistics

from services.shard.facts.growth import COUNTER_STATEMENTS, Growth, growth
from services.shard.mysql.statements import Statement
from services.shard.sampler.sampler import SESSIONS_COMMITTING
from services.shard.view import InstanceView, text, whole
from storex.diagnostics.v1 import innodb_pb2

WINDOW = 6.0
"""How far back it is measured, in seconds, where that much has been sampled."""
_PICO = 1e12
_WRITES = ("Com_insert", "Com_replace", "Com_update", "Com_delete", "Com_insert_select", "Com_update_multi")


async def get_commit_state(
    view: InstanceView, _request: innodb_pb2.GetCommitStateRequest
) -> innodb_pb2.GetCommitStateResponse:
    """Read the settings, and the counters of commits and flushes."""
    began = view.clock.now()
    results = await view.source.read(Statement.GLOBAL_VARIABLES, *COUNTER_STATEMENTS)
    variables = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    grown = growth(view, results, WINDOW)
    response = innodb_pb2.GetCommitStateResponse(
        observation=view.observation(began, results),
        flush_log_at_commit=whole(variables.get("innodb_flush_log_at_trx_commit")),
        sync_binlog=whole(variables.get("sync_binlog")),
        binary_log=variables.get("log_bin", "").upper() in ("ON", "1"),
        window_seconds=grown.seconds,
    )
    response.variable = _flushing(response)
    _measure(response, grown)
    since = view.clock.monotonic() - WINDOW
    committing = [one.values.get(SESSIONS_COMMITTING, 0.0) for one in view.history.status if one.at >= since]
    active = [float(len(one.running)) for one in view.history.activity if one.at >= since]
    # Commits come and go between two looks: the engine's own measure of COMMIT sees more, of autocommit nothing.
    in_commit, at_work = (grown.per_second(name) / _PICO for name in ("commit_picoseconds", "statement_picoseconds"))
    response.committing_sessions = round(max(in_commit, statistics.fmean(committing or [0.0])), 3)
    response.active_sessions = round(max(at_work, statistics.fmean(active or [0.0])), 3)
    return response


def _flushing(response: innodb_pb2.GetCommitStateResponse) -> str:
    if response.flush_log_at_commit == 1:
        return "innodb_flush_log_at_trx_commit"
    return "sync_binlog" if response.binary_log and response.sync_binlog == 1 else ""


def _measure(response: innodb_pb2.GetCommitStateResponse, grown: Growth) -> None:
    if not grown.seconds:
        return
    # With a binary log MariaDB counts its commits; else each writing statement, or COMMIT, ends one at most.
    rows = grown.rows_changed()
    # What only read is committed as well, and changed nothing.
    commits = grown.of("Binlog_commits") or min(rows, max(grown.of("Com_commit"), grown.of(*_WRITES)))
    response.commits_per_second = round(commits / grown.seconds, 3)
    response.rows_per_commit = round(rows / commits, 3) if commits else 0.0
    flushes = grown.of("log_flushes")
    if flushes:
        response.flush_seconds = round(grown.of("log_flush_picoseconds") / _PICO / flushes, 6)
        response.flush_load = round(grown.per_second("log_flush_picoseconds") / _PICO, 4)
    counted = max(grown.of("Innodb_os_log_fsyncs"), grown.of("Binlog_group_commits")) / grown.seconds
    response.flushes_per_second = round(max(grown.per_second("log_flushes"), counted), 3)
