"""Which blind spots a server has, from what it says of its own instrumentation and what could not be read of it."""

from __future__ import annotations

from collections.abc import Iterator

from services.shard.facts.growth import STATUS_STATEMENTS
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sight import costs
from services.shard.sight.costs import PLACES, Place, cost_of
from services.shard.sight.remedies import remedies_for
from services.shard.view import real, text, whole
from storex.diagnostics.v1 import visibility_pb2

SIGHT_STATEMENTS = (
    *STATUS_STATEMENTS,
    Statement.SIGHT_SETTINGS,
    Statement.INSTRUMENTATION,
    Statement.DIGEST_TABLE,
    Statement.INNODB_MONITORS,
    Statement.TABLE_SIZES,
)
"""What `blind_spots` wants to have been read."""

_OFF = ("", "0", "OFF")
_LOG_INSTRUMENTS = ("wait/io/file/innodb/innodb_log_file", "wait/io/file/sql/binlog")


def blind_spots(results: ResultSets) -> list[visibility_pb2.BlindSpot]:
    """The blind spots, the dearest first, each with its cost and remedies."""
    settings, found = _values(results, Statement.SIGHT_SETTINGS), dict(_found(results))
    has_actors = any(row["kind"] == "actors" for row in results.rows(Statement.INSTRUMENTATION))
    spots = []
    for place in sorted(found, key=PLACES.index):
        cost = cost_of(place, results.capabilities.engine)
        spots.append(
            visibility_pb2.BlindSpot(
                source=place[0],
                code=place[1],
                message=found[place],
                blind_tools=cost.blind_tools,
                weaker_tools=cost.weaker_tools,
                blind_causes=cost.blind_causes,
                weaker_causes=cost.weaker_causes,
                remedies=remedies_for(place, results.capabilities, settings, has_actors=has_actors),
            )
        )
    return spots


def _found(results: ResultSets) -> Iterator[tuple[Place, str]]:
    for gap in results.capabilities.gaps():
        if (gap.source, gap.code) in PLACES:
            yield (gap.source, gap.code), gap.message
    sizes = results.gap(Statement.TABLE_SIZES)
    if sizes is not None and sizes.code == "PRIVILEGE_MISSING":
        yield (
            costs.TABLE_STATISTICS,
            "How large the tables are is not known, nor thereby how much of them fits into the buffer pool.",
        )
    yield from _of_instrumentation(results)
    yield from _of_settings(results)
    yield from _lost(results)


def _of_instrumentation(results: ResultSets) -> Iterator[tuple[Place, str]]:
    if not _instrumentation(results):
        return
    rows = {(text(row["kind"]), text(row["name"])): whole(row["enabled"]) for row in _instrumentation(results)}
    if not rows.get(("instrument", "statement/sql/%"), 1):
        yield costs.STATEMENT_INSTRUMENTS, "Some kinds of statements are not counted."
    if not rows.get(("actors", "%")):
        yield costs.ACTORS, "The sessions of some accounts are not instrumented: their statements are not counted."
    if not all(rows.get(("instrument", name), 1) for name in _LOG_INSTRUMENTS):
        yield costs.LOG_INSTRUMENTS, "What flushing the logs costs is not measured."
    if not rows.get(("instrument", "error"), 1):
        yield costs.ERRORS, "Errors are not counted: neither refused logins nor refused writes."


def _instrumentation(results: ResultSets) -> list[dict[str, object]]:
    return results.rows(Statement.INSTRUMENTATION)


def _of_settings(results: ResultSets) -> Iterator[tuple[Place, str]]:
    settings = _values(results, Statement.SIGHT_SETTINGS)
    watched = results.has(Statement.INSTRUMENTATION)
    if watched and settings.get("max_digest_length") == "0":
        yield costs.DIGEST_TEXT, "Digests have no text: all statements of a schema look alike."
    if watched and settings.get("performance_schema_session_connect_attrs_size") == "0":
        yield costs.PROGRAMS, "What clients say of their program is not kept."
    if settings.get("userstat", "ON").upper() in _OFF:
        yield costs.USERSTAT, "Refused logins are counted, but not by account."
    monitors = results.rows(Statement.INNODB_MONITORS)
    if monitors and not all(whole(row["enabled"]) for row in monitors):
        yield costs.INNODB_MONITORS, "InnoDB does not count undo that waits for purge, or deadlocks."


def _lost(results: ResultSets) -> Iterator[tuple[Place, str]]:
    lost = sum(whole(row["lost_calls"]) for row in results.rows(Statement.DIGEST_TABLE))
    if lost:
        yield (
            costs.DIGEST_TABLE_FULL,
            f"The engine's table of digests is full: {lost} calls are counted under no digest, those of all new"
            " statements among them.",
        )
    status = _values(results, Statement.GLOBAL_STATUS)
    if real(status.get("Performance_schema_metadata_lock_lost")):
        yield costs.METADATA_LOCKS_LOST, "Some metadata locks had no place in the performance schema, and are not seen."
    if real(status.get("Performance_schema_thread_instances_lost")):
        yield costs.THREADS_LOST, "Some sessions had no place in the performance schema: their work is not seen."


def _values(results: ResultSets, statement: Statement) -> dict[str, str]:
    return {text(row["variable_name"]): text(row["value"]) for row in results.rows(statement)}
