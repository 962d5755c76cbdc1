"""Sessions out of the process list, with their programs and statements where the engine knows those."""

from __future__ import annotations

from services.shard.mysql.connection import Row
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import real, text, whole
from services.shard.work.statement_texts import KnownStatement, StatementTexts
from storex.diagnostics.v1 import session_pb2

SESSION_STATEMENTS = (Statement.PROCESSES, Statement.PROGRAMS, Statement.SESSION_STATEMENTS)
"""What `read_sessions` wants to have been read."""

IDLE = "Sleep"
SERVER_USERS = frozenset({"system user", "event_scheduler", "unauthenticated user", ""})
"""Users of sessions that no client is behind."""
_SERVER_COMMANDS = frozenset({"Daemon", "Binlog Dump", "Binlog Dump GTID", "Connect"})


def read_sessions(results: ResultSets, texts: StatementTexts) -> dict[int, session_pb2.Session]:
    """Every session by its connection id."""
    programs = programs_of(results)
    statements = {whole(row["connection_id"]): row for row in results.rows(Statement.SESSION_STATEMENTS)}
    return {
        session.connection_id: session
        for session in (_session(row, programs, statements, texts) for row in results.rows(Statement.PROCESSES) if row)
    }


def programs_of(results: ResultSets) -> dict[int, str]:
    """Client programs by connection id."""
    return {whole(row["connection_id"]): text(row["program"]) for row in results.rows(Statement.PROGRAMS)}


def host_without_port(host: str) -> str:
    """The client host as the server sees it, without the port that differs for each connection."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def is_idle(session: session_pb2.Session) -> bool:
    """Whether the session runs nothing."""
    return session.command == IDLE


def is_client(session: session_pb2.Session) -> bool:
    """Whether a client's program is behind it, rather than the server itself or a replica."""
    return session.user not in SERVER_USERS and session.command not in _SERVER_COMMANDS


def _session(
    row: Row, programs: dict[int, str], statements: dict[int, Row], texts: StatementTexts
) -> session_pb2.Session:
    connection_id = whole(row["connection_id"])
    session = session_pb2.Session(
        connection_id=connection_id,
        user=text(row["user"]),
        host=host_without_port(text(row["host"])),
        program=programs.get(connection_id, ""),
        schema=text(row["schema_name"]),
        command=text(row["command"]),
        state=text(row["state"]),
        seconds=round(max(0.0, real(row["seconds"])), 3),
    )
    recorded = statements.get(connection_id)
    info = text(row["info"])
    if info:
        running = recorded is not None and not whole(recorded["ended"])
        known = _of_engine(recorded, texts) if running and recorded is not None else texts.of_text(info)
        session.statement.CopyFrom(known.proto())
    elif recorded is not None and whole(recorded["ended"]):
        session.last_statement.CopyFrom(_of_engine(recorded, texts).proto())
    return session


def _of_engine(row: Row, texts: StatementTexts) -> KnownStatement:
    return texts.of_engine(text(row["digest"]), text(row["digest_text"]))
