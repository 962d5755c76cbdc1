"""The redo log: how much of it is in use, and how fast it is filled."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping

from services.shard.facts.growth import COUNTER_STATEMENTS, Growth, growth
from services.shard.facts.sessions import SERVER_USERS
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import RunningStatement
from services.shard.view import InstanceView, text, whole
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import innodb_pb2

WINDOW = 6.0
"""How far back it is measured, in seconds, where that much has been sampled."""
CAPACITY, FILE_SIZE = "innodb_redo_log_capacity", "innodb_log_file_size"
"""The variables that set the log's size: MySQL's since 8.0.30, and MariaDB's."""
_AGE, _MOST = "Innodb_checkpoint_age", "Innodb_checkpoint_max_age"
_LOGICAL = "Innodb_redo_log_logical_size"
_WRITES = re.compile(r"\W*(?:INSERT|REPLACE|UPDATE|DELETE|LOAD|CALL|EXECUTE|COMMIT)\b", re.IGNORECASE)
_FILES, _SPARE_FILES, _MARGIN_PAGES, _SYNC = 32, 2, 40, 7 / 8
"""How MySQL divides its capacity: into so many files, of which so many are spare; it keeps so many pages free for those
that write at once, and makes writers wait at this share of the rest. Source: storage/innobase/log of MySQL 8.4."""
_UNSEEN = entity_pb2.Limit(
    source="redo_state",
    code="CHECKPOINT_AGE_UNKNOWN",
    message="This version of the engine does not count how much of its redo log is in use.",
    remedy="Upgrade the server: MySQL shows it since 8.0.30, MariaDB since 10.5.",
)

_UNSIZED = entity_pb2.Limit(
    source="redo_state",
    code="CAPACITY_UNKNOWN",
    message="The size of the redo log could not be read, and how much of it may be in use follows from that.",
    remedy="Ask again in a few seconds.",
)


async def get_redo_state(
    view: InstanceView, _request: innodb_pb2.GetRedoStateRequest
) -> innodb_pb2.GetRedoStateResponse:
    """Read the log's size and counters, and compare them with the samples."""
    began = view.clock.now()
    results = await view.source.read(Statement.GLOBAL_VARIABLES, *COUNTER_STATEMENTS)
    variables = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    grown = growth(view, results, WINDOW)
    variable = CAPACITY if CAPACITY in variables else FILE_SIZE
    capacity = whole(variables.get(variable))
    limit = _limit(grown.now, capacity, whole(variables.get("innodb_page_size")))
    response = innodb_pb2.GetRedoStateResponse(
        variable=variable,
        capacity_bytes=capacity,
        checkpoint_age_bytes=round(_age(grown.now)),
        limit_bytes=limit,
        window_seconds=grown.seconds,
    )
    if limit:
        _measure(response, view, grown)
    response.observation.CopyFrom(
        view.observation(began, results, *([] if limit else [_UNSIZED if _is_counted(grown.now) else _UNSEEN]))
    )
    return response


def _age(values: Mapping[str, float]) -> float:
    return values.get(_AGE, values.get(_LOGICAL, 0.0))


def _is_counted(values: Mapping[str, float]) -> bool:
    return _AGE in values or _LOGICAL in values


def _limit(values: Mapping[str, float], capacity: int, page_size: int) -> int:
    """The age from which writers wait, in bytes; 0 where that or the age is not known."""
    if _AGE in values and _MOST in values:
        return max(1, round(values[_MOST]))
    if _LOGICAL not in values or not capacity:
        return 0
    usable = capacity * (_FILES - _SPARE_FILES) / _FILES - _MARGIN_PAGES * page_size
    return max(1, round(usable * _SYNC))


def _measure(response: innodb_pb2.GetRedoStateResponse, view: InstanceView, grown: Growth) -> None:
    since = view.clock.monotonic() - WINDOW
    limit = response.limit_bytes
    sampled = [_age(one.values) for one in view.history.status if one.at >= since]
    response.used_ratio = round(response.checkpoint_age_bytes / limit, 4)
    response.average_used_ratio = round(statistics.fmean([*sampled, response.checkpoint_age_bytes]) / limit, 4)
    response.write_bytes_per_second = grown.rate("Innodb_os_log_written")
    if response.write_bytes_per_second:
        response.seconds_to_fill = round(limit / response.write_bytes_per_second, 3)
    response.log_waits_per_second = grown.rate("Innodb_log_waits")
    servers = {number for number, known in view.history.tracked.items() if known.owner[0] in SERVER_USERS}
    writing = [
        sum(_writes(running) and running.connection_id not in servers for running in one.running)
        for one in view.history.activity
        if one.at >= since
    ]
    response.writing_sessions = round(statistics.fmean(writing), 3) if writing else 0.0


def _writes(running: RunningStatement) -> bool:
    return _WRITES.match(running.text) is not None and not running.waits_for_lock
