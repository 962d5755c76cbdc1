"""Whether the server takes writes, and what became of those that clients tried."""

from __future__ import annotations

from services.shard.facts.growth import COUNTER_STATEMENTS, ROWS_CHANGED, Growth, growth
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text
from services.shard.work.write_work import Writes, write_work
from storex.diagnostics.v1 import settings_pb2

WINDOW = 15.0
"""How far back writes are counted, in seconds, where that much has been sampled."""
_OFF = ("", "0", "OFF")
_REFUSING = ("innodb_read_only", "super_read_only", "read_only")
"""The variables that make a server refuse writes, the strictest first."""
_WRITING = (
    ("Com_insert", "Com_insert_select", "Com_replace", "Com_replace_select"),
    ("Com_update", "Com_update_multi"),
    ("Com_delete", "Com_delete_multi"),
)
"""Statements that insert rows, that update them, and that delete them: in the order of `ROWS_CHANGED`."""
_REFUSALS = ("error_1290", "error_1836")


async def get_read_only_state(
    view: InstanceView, _request: settings_pb2.GetReadOnlyStateRequest
) -> settings_pb2.GetReadOnlyStateResponse:
    """Read the variables, the counters of statements and rows, and whether the server is a replica."""
    began = view.clock.now()
    results = await view.source.read(Statement.GLOBAL_VARIABLES, Statement.REPLICA_STATUS, *COUNTER_STATEMENTS)
    variables = {text(row["variable_name"]): text(row["value"]) for row in results.rows(Statement.GLOBAL_VARIABLES)}
    refusing = [name for name in _REFUSING if variables.get(name, "").upper() not in _OFF]
    grown = growth(view, results, WINDOW)
    attempts, failed = _counted(grown, write_work(view))
    return settings_pb2.GetReadOnlyStateResponse(
        observation=view.observation(began, results),
        # `super_read_only` sets `read_only` with it: that one is what an administrator takes back.
        variable=refusing[-1] if refusing else "",
        read_only=bool(refusing),
        super_read_only="super_read_only" in refusing,
        is_replica=bool(results.rows(Statement.REPLICA_STATUS)),
        write_statements=attempts,
        failed_writes=failed,
        window_seconds=grown.seconds,
    )


def _counted(grown: Growth, writes: Writes) -> tuple[int, int]:
    """Writes and failures: refusals where the engine counts errors, else by digest, else by rows that did not change.

    What a read-only server refuses at once does not count as a statement of its kind, on either engine.
    Without digests a kind of statement counts as failed where none of its calls changed any row.
    """
    attempts = int(sum(grown.of(*statements) for statements in _WRITING))
    if any(grown.knows(name) for name in _REFUSALS):
        refused = int(grown.of(*_REFUSALS))
        return attempts + refused, refused  # a statement that is refused so early is not counted as one
    if writes.seconds:
        return max(attempts, sum(one.calls for one in writes.work)), sum(one.failed for one in writes.work)
    counters = next((names for names in ROWS_CHANGED if grown.knows(names[0])), ())
    unchanged = sum(
        grown.of(*statements) for rows, statements in zip(counters, _WRITING, strict=False) if not grown.of(rows)
    )
    return attempts, int(unchanged)
