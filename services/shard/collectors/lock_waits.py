"""Who waits for a lock, and who at the root of the chain holds it: row locks and metadata locks in one forest."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from services.shard.facts.flush_waits import STATE as FLUSH_STATE
from services.shard.facts.flush_waits import flush_edges
from services.shard.facts.lock_forest import Chain, Edge, Forest, grow
from services.shard.facts.sessions import SESSION_STATEMENTS, read_sessions
from services.shard.facts.transactions import read_transactions
from services.shard.mysql.connection import Row
from services.shard.mysql.metadata_locks import GLOBAL_OBJECTS, blocks, jumps_queue, may_be_stronger
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, real, text, whole
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

ROW = diagnostics_pb2.LOCK_KIND_ROW
METADATA = diagnostics_pb2.LOCK_KIND_METADATA
GLOBAL = diagnostics_pb2.LOCK_KIND_GLOBAL
TABLE = diagnostics_pb2.LOCK_KIND_TABLE

RATE_WINDOW = 5.0
"""The span that rates are measured over, in seconds, where that much has been sampled."""
SHORTEST_WINDOW = 0.9
"""Below this a rate says little, in seconds."""

_ADVISORY = "USER LEVEL LOCK"
_QUOTED = re.compile(r"`((?:[^`]|``)*)`")
_STATES = (
    ("Waiting for table metadata lock", METADATA),
    ("Waiting for schema metadata lock", METADATA),
    ("Waiting for stored", METADATA),
    ("Waiting for trigger metadata lock", METADATA),
    ("Waiting for event metadata lock", METADATA),
    (FLUSH_STATE, METADATA),
    ("Waiting for global read lock", GLOBAL),
    ("Waiting for backup lock", GLOBAL),
    ("Waiting for commit lock", GLOBAL),
)
"""What a session that waits for a metadata lock says it does, where the locks themselves cannot be seen."""

Sessions = Mapping[int, session_pb2.Session]
Transactions = Mapping[int, session_pb2.Transaction]


async def get_lock_waits(
    view: InstanceView, _request: diagnostics_pb2.GetLockWaitsRequest
) -> diagnostics_pb2.GetLockWaitsResponse:
    """Read row-lock waits, the locks that take part, transactions, metadata locks and sessions in one go."""
    began = view.clock.now()
    results = await view.source.read(
        Statement.ROW_LOCK_WAITS,
        Statement.ROW_LOCKS,
        Statement.TRANSACTIONS,
        Statement.METADATA_LOCKS,
        *SESSION_STATEMENTS,
    )
    sessions = read_sessions(results, view.texts)
    transactions = {found.connection_id: found for found in read_transactions(results, sessions)}
    forest = grow([*_row_edges(results), *_metadata_edges(results), *flush_edges(sessions)])
    waits = _row_wait_seconds(results)
    waiters = [_waiter(chain, sessions, waits) for chain in forest.chains.values()]
    waiters += _unexplained(results, sessions, transactions, waits, forest)
    response = diagnostics_pb2.GetLockWaitsResponse(
        observation=view.observation(began, results, *_unseen(results)),
        holders=_holders(forest, waiters, sessions, transactions),
        waiters=sorted(waiters, key=lambda waiter: (-waiter.wait_seconds, waiter.session.connection_id)),
    )
    _add_rates(response, view)
    return response


def _unseen(results: ResultSets) -> list[entity_pb2.Limit]:
    gap = results.gap(Statement.ROW_LOCK_WAITS, Statement.TRANSACTIONS)
    if gap is None:
        return []
    message = "Which sessions wait for which row locks, and who holds them, cannot be seen."
    return [entity_pb2.Limit(source="row_locks", code="ROW_LOCKS_UNSEEN", message=message, remedy=gap.remedy)]


def _add_rates(response: diagnostics_pb2.GetLockWaitsResponse, view: InstanceView) -> None:
    """From what was sampled: the engine counts a wait's time when it ends."""
    before = view.history.status_before(view.clock.monotonic(), RATE_WINDOW)
    now = view.history.status[-1] if view.history.status else None
    if before is None or now is None or now.at - before.at < SHORTEST_WINDOW:
        return
    span = now.at - before.at
    waits, milliseconds = (
        max(0.0, now.values.get(counter, 0.0) - before.values.get(counter, 0.0))
        for counter in ("Innodb_row_lock_waits", "Innodb_row_lock_time")
    )
    response.window_seconds = round(span, 3)
    response.row_lock_waits_per_second = round(waits / span, 3)
    response.average_row_lock_wait_seconds = round(milliseconds / 1000.0 / waits, 4) if waits else 0.0
    response.row_lock_load = round(milliseconds / 1000.0 / span, 3)


def _row_edges(results: ResultSets) -> Iterator[Edge]:
    connections = {
        text(row["transaction_id"]): whole(row["connection_id"]) for row in results.rows(Statement.TRANSACTIONS)
    }
    locks = {text(row["lock_id"]): row for row in results.rows(Statement.ROW_LOCKS)}
    for row in results.rows(Statement.ROW_LOCK_WAITS):
        waiter = connections.get(text(row["waiting_transaction_id"]))
        blocker = connections.get(text(row["blocking_transaction_id"]))
        if waiter is None or blocker is None:
            continue  # it ended between two readings
        wanted = locks.get(text(row["waiting_lock_id"]), {})
        held = locks.get(text(row["blocking_lock_id"]), {})
        yield Edge(
            waiter,
            blocker,
            TABLE if text(wanted.get("lock_type")).upper() == "TABLE" else ROW,
            _table_name(wanted),
            text(wanted.get("index_name")),
            text(wanted.get("lock_mode")),
            text(held.get("lock_mode")),
            text(wanted.get("record")),
        )


def _table_name(lock: Row) -> str:
    name = text(lock.get("table_name"))
    schema = text(lock.get("schema_name"))
    if schema:
        return f"{schema}.{name}"
    return ".".join(part.replace("``", "`") for part in _QUOTED.findall(name)[:2])


def _metadata_edges(results: ResultSets) -> Iterator[Edge]:
    by_object: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in results.rows(Statement.METADATA_LOCKS):
        key = (text(row["object_type"]), text(row["schema_name"]), text(row["object_name"]))
        by_object[key].append(row)
    for key, locks in by_object.items():
        if key[0] == _ADVISORY:
            continue  # GET_LOCK: an application's way of queueing, not the database's
        held = [row for row in locks if row["lock_status"] == "GRANTED"]
        wanted = [row for row in locks if row["lock_status"] == "PENDING"]
        for waiter in wanted:
            yield from _edges_of(key, waiter, held, wanted)


def _edges_of(key: tuple[str, str, str], waiter: Row, held: list[Row], wanted: list[Row]) -> Iterator[Edge]:
    object_type, schema, name = key
    mode = text(waiter["lock_type"])
    blockers = [row for row in held if blocks(object_type, text(row["lock_type"]), mode)]
    # Only where nothing that is held stands in the way is the queue what holds it up.
    blockers = [row for row in blockers if row["connection_id"] != waiter["connection_id"]] or [
        row
        for row in wanted
        if jumps_queue(text(row["lock_type"])) and blocks(object_type, text(row["lock_type"]), mode)
    ]
    # MariaDB goes on showing the mode that was asked for first. Where nothing else is in the way, it was made stronger.
    blockers = blockers or [
        row
        for row in held
        if may_be_stronger(text(row["lock_type"])) and row["connection_id"] != waiter["connection_id"]
    ]
    for blocker in blockers:
        yield Edge(
            whole(waiter["connection_id"]),
            whole(blocker["connection_id"]),
            GLOBAL if object_type in GLOBAL_OBJECTS else METADATA,
            f"{schema}.{name}" if schema and name else schema,
            "",
            mode,
            text(blocker["lock_type"]),
        )


def _row_wait_seconds(results: ResultSets) -> dict[int, float]:
    return {
        whole(row["connection_id"]): real(row["wait_seconds"])
        for row in results.rows(Statement.TRANSACTIONS)
        if row["wait_seconds"] is not None
    }


def _wait_seconds(session: session_pb2.Session, waits: Mapping[int, float]) -> float:
    """Wait start times are whole seconds, so that the statement's own time may be the closer bound."""
    waited = waits.get(session.connection_id)
    return round(session.seconds if waited is None else max(0.0, min(waited, session.seconds)), 3)


def _waiter(chain: Chain, sessions: Sessions, waits: Mapping[int, float]) -> diagnostics_pb2.LockWaiter:
    edge = chain.edge
    session = sessions.get(edge.waiter, session_pb2.Session(connection_id=edge.waiter))
    return diagnostics_pb2.LockWaiter(
        session=session,
        blocking_connection_id=edge.blocker,
        root_connection_id=chain.root,
        depth=chain.depth,
        kind=edge.kind,
        table=edge.table,
        index=edge.index,
        requested_mode=edge.requested_mode,
        held_mode=edge.held_mode,
        record=edge.record,
        wait_seconds=_wait_seconds(session, waits),
    )


def _unexplained(
    results: ResultSets, sessions: Sessions, transactions: Transactions, waits: Mapping[int, float], forest: Forest
) -> Iterator[diagnostics_pb2.LockWaiter]:
    """Sessions that say they wait where the engine does not show for whom: waiters without a blocker."""
    for connection_id, session in sessions.items():
        if connection_id in forest.chains or connection_id in forest.dependents:
            continue
        kind = next((kind for state, kind in _STATES if session.state.startswith(state)), None)
        transaction = transactions.get(connection_id)
        if kind is None and transaction is not None and transaction.state == "LOCK WAIT":
            kind = ROW if results.gap(Statement.ROW_LOCK_WAITS) else None
        if kind is not None:
            yield diagnostics_pb2.LockWaiter(session=session, kind=kind, wait_seconds=_wait_seconds(session, waits))


def _holders(
    forest: Forest, waiters: Iterable[diagnostics_pb2.LockWaiter], sessions: Sessions, transactions: Transactions
) -> list[diagnostics_pb2.LockHolder]:
    by_connection = {waiter.session.connection_id: waiter for waiter in waiters}
    holders = []
    for root, dependents in forest.dependents.items():
        mine = [by_connection[connection_id] for connection_id in dependents if connection_id in by_connection]
        direct = [waiter for waiter in mine if waiter.blocking_connection_id == root] or mine
        longest = max((waiter.wait_seconds for waiter in mine), default=0.0)
        holder = diagnostics_pb2.LockHolder(
            session=sessions.get(root, session_pb2.Session(connection_id=root)),
            blocked_sessions=len(dependents),
            longest_wait_seconds=longest,
            kind=max(direct, key=lambda waiter: waiter.wait_seconds).kind if direct else ROW,
        )
        if root in transactions:
            holder.transaction.CopyFrom(transactions[root])
            holder.transaction.ClearField("session")  # it stands beside it
        holders.append(holder)
    return sorted(holders, key=lambda holder: (-holder.blocked_sessions, -holder.longest_wait_seconds))
