"""Sessions that wait for a table to be flushed: no list of locks shows them, nor what they wait for.

FLUSH TABLES waits until every statement that had the table open before it has ended, and whoever opens the table
meanwhile waits with it. MySQL tells only the state; who is at the root follows from the statements: one that has run
for longer, on the same table. A transaction that is idle keeps no table open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from libs.redaction.sql import normalise
from services.shard.facts.lock_forest import Edge
from services.shard.facts.sessions import is_client, is_idle
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

STATE = "Waiting for table flush"
_FLUSH = re.compile(r"\s*FLUSH\s+(?:NO_WRITE_TO_BINLOG\s+|LOCAL\s+)?TABLES?\b(?P<names>[^;]*)", re.IGNORECASE)
_GLOBAL = re.compile(r"\s*WITH\s+READ\s+LOCK", re.IGNORECASE)
_AFTER_NAMES = re.compile(r"\b(?:WITH\s+READ\s+LOCK|FOR\s+EXPORT)\b.*", re.IGNORECASE | re.DOTALL)


def flush_edges(sessions: Mapping[int, session_pb2.Session]) -> Iterator[Edge]:
    """Each session in that state, with every older statement that may have kept its table open."""
    waiting = [session for session in sessions.values() if session.state == STATE]
    if not waiting:
        return
    open_tables = [
        (session, tables)
        for session in sessions.values()
        if session.state != STATE and is_client(session) and not is_idle(session) and (tables := _tables(session))
    ]
    for waiter in waiting:
        wanted = _tables(waiter)
        for session, tables in open_tables:
            shared = sorted(tables & wanted) if wanted else sorted(tables)
            if shared and session.seconds >= waiter.seconds:
                kind = diagnostics_pb2.LOCK_KIND_GLOBAL if _is_global(waiter) else diagnostics_pb2.LOCK_KIND_METADATA
                yield Edge(waiter.connection_id, session.connection_id, kind, shared[0])


def _is_global(session: session_pb2.Session) -> bool:
    flush = _FLUSH.match(session.statement.digest_text)
    return flush is not None and _GLOBAL.match(flush["names"]) is not None


def _tables(session: session_pb2.Session) -> set[str]:
    """The tables that its statement names; none for a FLUSH of all."""
    flush = _FLUSH.match(session.statement.digest_text)
    if flush is None:
        names = list(normalise(session.statement.digest_text).tables)
    else:
        names = [name.strip().replace("`", "") for name in _AFTER_NAMES.sub("", flush["names"]).split(",")]
    return {name if "." in name else f"{session.schema}.{name}" for name in names if name}
