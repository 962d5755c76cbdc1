"""Open InnoDB transactions with the sessions that they belong to."""

from __future__ import annotations

from collections.abc import Mapping

from services.shard.facts.sessions import is_idle
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import real, text, whole
from storex.diagnostics.v1 import session_pb2

_FOR_THE_TRANSACTION = ("REPEATABLE READ", "SERIALIZABLE")
"""Isolation levels under which a transaction reads to its end what it saw at its beginning."""
_FOR_THE_STATEMENT = "READ COMMITTED"
_WAITS_FOR_NOTHING = ("User sleep", "User lock")
"""States of a session whose statement reads nothing: SLEEP(), and GET_LOCK() for a lock of the application's own."""


def read_transactions(
    results: ResultSets, sessions: Mapping[int, session_pb2.Session]
) -> list[session_pb2.Transaction]:
    """The transactions of INNODB_TRX, in its order."""
    transactions = []
    for row in results.rows(Statement.TRANSACTIONS):
        connection_id = whole(row["connection_id"])
        transaction = session_pb2.Transaction(
            transaction_id=_transaction_id(row["transaction_id"]),
            connection_id=connection_id,
            state=text(row["state"]),
            age_seconds=round(max(0.0, real(row["age_seconds"])), 3),
            rows_locked=whole(row["rows_locked"]),
            rows_modified=whole(row["rows_modified"]),
            tables_locked=whole(row["tables_locked"]),
            isolation_level=text(row["isolation_level"]),
        )
        session = sessions.get(connection_id)
        if session is not None:
            transaction.session.CopyFrom(session)
            transaction.idle = is_idle(session)
            # Start times are whole seconds: a session cannot have been idle in it for longer than it is open.
            transaction.idle_seconds = min(session.seconds, transaction.age_seconds) if transaction.idle else 0.0
        transactions.append(transaction)
    return transactions


def read_view_seconds(transaction: session_pb2.Transaction) -> float:
    """For how long it has kept its read view, at most; 0 where it keeps none."""
    if transaction.isolation_level in _FOR_THE_TRANSACTION:
        return transaction.age_seconds
    if transaction.isolation_level == _FOR_THE_STATEMENT:
        return statement_seconds(transaction)
    return 0.0


def statement_seconds(transaction: session_pb2.Transaction) -> float:
    """For how long its present statement has run; 0 where it runs none."""
    running = transaction.HasField("session") and not transaction.idle
    return min(transaction.session.seconds, transaction.age_seconds) if running else 0.0


def does_nothing(transaction: session_pb2.Transaction) -> bool:
    """Whether it is idle, or its statement only lets time go by."""
    return transaction.idle or transaction.session.state in _WAITS_FOR_NOTHING


def _transaction_id(value: object) -> str:
    """Empty for a transaction that only reads: engines show 0, or the address of its structure, in place of an id."""
    number = text(value)
    return "" if number == "0" or (number.isdigit() and int(number) >= 2**47) else number
