"""Whether the owner of a session may still see what is in it: rights end, snapshots are destroyed, sessions stay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from services.agent.reach import Reach
from services.agent.records import Record
from services.agent.sessions.store import SessionStore
from storex.fleet.v1.fleet_pb2 import GetInstanceRequest
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotRequest

_AT_ONCE = 16
_GONE = (Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED)


async def visible_records(store: SessionStore, session_id: str, owner: str, reach: Reach) -> list[Record]:
    """A session's records, if policy, asked through the coordinator, lets its owner see all that they hold data of.

    A session that asked a snapshot which has been destroyed since is deleted: what was answered from it goes with it.
    Raises StorexError SESSION_NOT_FOUND when something may not be seen any more, and whatever keeps that from being
    known.
    """
    records = await store.records(session_id, owner)
    try:
        await _ask_all(_read_snapshot, await store.snapshots(session_id, owner), reach)
    except StorexError as error:
        if error.reason is Reason.SNAPSHOT_KEY_DESTROYED:
            await store.delete(session_id)
            raise StorexError(Reason.SESSION_NOT_FOUND) from None
        raise _hidden(error) from None
    try:
        await _ask_all(_read_instance, _instances(records), reach)
    except StorexError as error:
        raise _hidden(error) from None
    return records


def _hidden(error: StorexError) -> StorexError:
    return StorexError(Reason.SESSION_NOT_FOUND) if error.reason in _GONE else error


def _instances(records: Iterable[Record]) -> list[str]:
    names = {record.name for record in records if record.message is not None}
    return sorted(name for name in names if parse_name(name, wildcards=True).instance not in (None, "-"))


async def _read_instance(name: str, reach: Reach) -> None:
    await reach.call(reach.fleet.GetInstance, GetInstanceRequest(name=name))


async def _read_snapshot(name: str, reach: Reach) -> None:
    await reach.call(reach.snapshots.GetSnapshot, GetSnapshotRequest(name=name))


async def _ask_all(read: Callable[[str, Reach], Awaitable[None]], names: Iterable[str], reach: Reach) -> None:
    """Ask about all, and raise what is certain before what is not."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str) -> None:
        async with gate:
            await read(name, reach)

    outcomes = await asyncio.gather(*map(ask, names), return_exceptions=True)
    problems = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for problem in sorted(problems, key=_rank):
        raise problem


def _rank(problem: BaseException) -> int:
    reason = problem.reason if isinstance(problem, StorexError) else None
    return 0 if reason is Reason.SNAPSHOT_KEY_DESTROYED else 1 if reason in _GONE else 2
