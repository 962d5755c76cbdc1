"""Changes and rebuilds of tables that are under way, and what other statements cost since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from services.shard.mysql.source import ResultSets
from services.shard.sampler.history import DigestKey
from services.shard.sampler.sampler import LOCK_STATES, OWN_PROGRAM
from services.shard.sessions import SERVER_USERS, SESSION_STATEMENTS, is_idle, read_sessions
from services.shard.slowdown import slowdown_since
from services.shard.system_statements import is_system
from services.shard.view import InstanceView
from storex.diagnostics.v1 import maintenance_pb2, session_pb2

_NAME = r"`?(?P<table>[\w$]+`?(?:\s*\.\s*`?[\w$]+)?)`?"
_ON_TABLE = re.compile(
    r"\W*(?P<verb>ALTER|OPTIMIZE|ANALYZE|REPAIR|CHECK|TRUNCATE|RENAME)\s+"
    r"(?:(?:ONLINE|IGNORE|LOCAL|NO_WRITE_TO_BINLOG)\s+)*TABLES?\s+(?:IF\s+EXISTS\s+)?" + _NAME,
    re.IGNORECASE | re.ASCII,
)
_ON_INDEX = re.compile(
    r"\W*(?P<verb>CREATE|DROP)\s+(?:(?:OR\s+REPLACE|ONLINE|UNIQUE|FULLTEXT|SPATIAL)\s+)*INDEX\s+"
    r"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?[^()\s]+\s+(?:USING\s+\w+\s+)?ON\s+" + _NAME,
    re.IGNORECASE | re.ASCII,
)


async def list_maintenance(
    view: InstanceView, _request: maintenance_pb2.ListMaintenanceRequest
) -> maintenance_pb2.ListMaintenanceResponse:
    """Read the sessions, and compare what was sampled before their work with what was since."""
    began = view.clock.now()
    results = await view.source.read(*SESSION_STATEMENTS)
    operations = sorted(_operations(view, results), key=lambda one: (-one.running_seconds, one.session.connection_id))
    return maintenance_pb2.ListMaintenanceResponse(observation=view.observation(began, results), operations=operations)


def changed_table(statement: str) -> tuple[str, str] | None:
    """What a normalised statement does (`ALTER TABLE`) and to which table; None where it changes none."""
    on_table, on_index = _ON_TABLE.match(statement), _ON_INDEX.match(statement)
    found = on_table or on_index
    if found is None:
        return None
    what = "TABLE" if on_table is not None else "INDEX"
    return f"{found['verb'].upper()} {what}", re.sub(r"[`\s]", "", found["table"])


def _operations(view: InstanceView, results: ResultSets) -> Iterator[maintenance_pb2.MaintenanceOperation]:
    now = view.clock.monotonic()
    for session in read_sessions(results, view.texts).values():
        done = None if is_idle(session) else changed_table(session.statement.digest_text)
        if done is None or session.program == OWN_PROGRAM:
            continue
        verb, table = done
        yield maintenance_pb2.MaintenanceOperation(
            kind=maintenance_pb2.MAINTENANCE_KIND_DDL,
            session=session,
            verb=verb,
            table=table if "." in table or not session.schema else f"{session.schema}.{table}",
            running_seconds=session.seconds,
            waits_for_lock=LOCK_STATES.search(session.state) is not None,
            by_replication=session.user in SERVER_USERS,
            slowdown=slowdown_since(view.history.digests, now - session.seconds, _others(view, session)),
        )


def _others(view: InstanceView, own: session_pb2.Session) -> Callable[[DigestKey], bool]:
    """Whether a digest is a statement of an application, and not the one that is under way."""

    def counts(key: DigestKey) -> bool:
        known = view.texts.get(key[1])
        return known is not None and key[1] != own.statement.digest and not is_system(key[0], known.tables)

    return counts
