"""Changes and rebuilds of tables that are under way, and what other statements cost since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from services.shard.facts.sessions import SERVER_USERS, SESSION_STATEMENTS, is_idle, read_sessions
from services.shard.mysql.source import ResultSets
from services.shard.sampler.history import DigestKey, RunningStatement
from services.shard.sampler.sampler import LOCK_STATES, OWN_PROGRAM
from services.shard.view import InstanceView
from services.shard.work.slowdown import slowdown_since
from services.shard.work.system_statements import is_system
from storex.diagnostics.v1 import maintenance_pb2, session_pb2

_PART = r"(?:`[^`]+`|[\w$]+|\?)"
"""A name as normalised texts have it: in backticks where it is no plain word; without its letters where these are not
ASCII and not in backticks."""
_NAME = rf"(?P<first>{_PART})(?:\s*\.\s*(?P<second>{_PART}))?"
_ON_TABLE = re.compile(
    r"\W*(?:(?P<verb>ALTER|OPTIMIZE|ANALYZE|REPAIR|CHECK|RENAME)\s+"
    r"(?:(?:ONLINE|IGNORE|LOCAL|NO_WRITE_TO_BINLOG)\s+)*TABLES?|TRUNCATE\b(?:\s+TABLE)?)\b\s*"
    r"(?:\bIF\s+EXISTS\s+)?" + _NAME,
    re.IGNORECASE | re.ASCII,
)
_ON_INDEX = re.compile(
    r"\W*(?P<verb>CREATE|DROP)\s+(?:(?:OR\s+REPLACE|ONLINE|UNIQUE|FULLTEXT|SPATIAL)\s+)*INDEX\b\s*"
    rf"(?:\bIF\s+(?:NOT\s+)?EXISTS\s+)?{_PART}\s*(?:USING\s+\w+\s+)?ON\b\s*" + _NAME,
    re.IGNORECASE | re.ASCII,
)
_UNKNOWN = "?"


async def list_maintenance(
    view: InstanceView, _request: maintenance_pb2.ListMaintenanceRequest
) -> maintenance_pb2.ListMaintenanceResponse:
    """Read the sessions, and compare what was sampled before their work with what was since."""
    began = view.clock.now()
    results = await view.source.read(*SESSION_STATEMENTS)
    operations = sorted(_operations(view, results), key=lambda one: (-one.running_seconds, one.session.connection_id))
    return maintenance_pb2.ListMaintenanceResponse(observation=view.observation(began, results), operations=operations)


def changed_table(statement: str, schema: str = "") -> tuple[str, str] | None:
    """What a normalised statement does (`ALTER TABLE`) and to which table, which is in `schema` where none is named.

    None where it changes none; the table is empty where the text does not tell its name.
    """
    on_table, on_index = _ON_TABLE.match(statement), _ON_INDEX.match(statement)
    found = on_table or on_index
    if found is None:
        return None
    verb = f"{found['verb']} TABLE" if on_table is not None and found["verb"] else "TRUNCATE TABLE"
    if on_index is not None and on_table is None:
        verb = f"{found['verb']} INDEX"
    parts = [schema, found["first"]] if found["second"] is None else [found["first"], found["second"]]
    names = [part.strip("`") for part in parts if part]
    return verb.upper(), "" if _UNKNOWN in parts else ".".join(names)


def _operations(view: InstanceView, results: ResultSets) -> Iterator[maintenance_pb2.MaintenanceOperation]:
    now = view.clock.monotonic()
    for session in read_sessions(results, view.texts).values():
        done = None if is_idle(session) else changed_table(session.statement.digest_text, session.schema)
        if done is None or session.program == OWN_PROGRAM:
            continue
        verb, table = done
        seconds = _at_work_for(view, results, session)
        yield maintenance_pb2.MaintenanceOperation(
            kind=maintenance_pb2.MAINTENANCE_KIND_DDL,
            session=session,
            verb=verb,
            table=table,
            running_seconds=seconds,
            waits_for_lock=LOCK_STATES.search(session.state) is not None,
            by_replication=session.user in SERVER_USERS,
            slowdown=slowdown_since(view.history.digests, now - seconds, _others(view, session)),
        )


def _at_work_for(view: InstanceView, results: ResultSets, session: session_pb2.Session) -> float:
    """For how long, in seconds: MySQL counts an applier's from when its source wrote down what it applies.

    There it is counted from the first of the samples, in a row up to now, that saw it; 0 where none did.
    """
    if session.user not in SERVER_USERS or results.capabilities.engine != "MySQL":
        return session.seconds
    first = now = view.clock.monotonic()
    for sample in reversed(view.history.activity):
        if not any(_is_same(one, session) for one in sample.running):
            break
        first = sample.at
    return round(now - first, 3)


def _is_same(running: RunningStatement, session: session_pb2.Session) -> bool:
    return running.connection_id == session.connection_id and running.text == session.statement.digest_text


def _others(view: InstanceView, own: session_pb2.Session) -> Callable[[DigestKey], bool]:
    """Whether a digest is a statement of an application, and not the one that is under way."""

    def counts(key: DigestKey) -> bool:
        known = view.texts.get(key[1])
        return known is not None and key[1] != own.statement.digest and not is_system(key[0], known.tables)

    return counts
