from __future__ import annotations

import asyncio

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import History
from services.shard.sampler.sampler import LOCK_STATES, Sampler
from services.shard.work.statement_texts import StatementTexts
from tests.clock import ManualClock
from tests.unit.shard.recorded import RecordedSource, digest, process

ROWS = {
    Statement.GLOBAL_STATUS: [
        {"variable_name": "Uptime", "value": "10"},
        {"variable_name": "Questions", "value": "42"},
        {"variable_name": "Rsa_public_key", "value": "-----BEGIN"},
    ],
    Statement.PROCESSES: [
        process(7),
        process(8, command="Query", info="SELECT 'Ada' FROM carts", seconds=0.4),
        process(9, command="Query", info="SELECT * FROM information_schema.processlist"),
    ],
    Statement.PROGRAMS: [{"connection_id": 7, "program": "web"}, {"connection_id": 9, "program": "storex"}],
    Statement.DIGESTS: [digest("a", 5), digest("b", 9)],
}


def sampler_of(source: RecordedSource, clock: ManualClock) -> tuple[Sampler, History]:
    history = History()
    return Sampler("regions/r/instances/i", source, history, StatementTexts(), clock), history


def reason_of(sampler: Sampler) -> Reason | None:
    return None if sampler.seen.failure is None else sampler.seen.failure.reason


async def test_one_look_fills_every_ring() -> None:
    sampler, history = sampler_of(RecordedSource(ROWS), ManualClock())
    await sampler.sample()
    assert history.status[-1].values == {"Uptime": 10.0, "Questions": 42.0, "sessions_committing": 0.0}
    assert history.connections[-1].counts == {
        ("orders_app", "10.0.0.7", "web"): 1,
        ("orders_app", "10.0.0.7", ""): 1,
        ("orders_app", "10.0.0.7", "storex"): 1,
    }
    [running] = history.activity[-1].running
    assert (running.connection_id, running.tables) == (8, ("carts",))
    assert "Ada" not in running.text
    assert set(history.digests[-1].counters) == {("orders", "a"), ("orders", "b")}
    assert (sampler.seen.failure, sampler.seen.is_replica) == (None, False)


async def test_digests_are_read_more_seldom_and_what_rests_is_shared() -> None:
    clock, source = ManualClock(), RecordedSource(ROWS)
    sampler, history = sampler_of(source, clock)
    await sampler.sample()
    clock.seconds += 1.0
    await sampler.sample()
    assert len(history.digests) == 1
    clock.seconds += 1.5
    source.rows[Statement.RECENT_DIGESTS] = [digest("a", 6)]
    await sampler.sample()
    first, second = history.digests
    assert second.counters[("orders", "a")][0] == 6
    assert second.counters[("orders", "b")] is first.counters[("orders", "b")]


async def test_all_digests_are_read_again_after_a_while_for_the_engine_drops_some() -> None:
    clock, source = ManualClock(), RecordedSource({**ROWS, Statement.RECENT_DIGESTS: []})
    sampler, history = sampler_of(source, clock)
    await sampler.sample()
    source.rows[Statement.DIGESTS] = [digest("b", 9)]
    for _ in range(20):
        clock.seconds += 10.0
        await sampler.sample()
    assert set(history.digests[-1].counters) == {("orders", "a"), ("orders", "b")}
    for _ in range(12):
        clock.seconds += 10.0
        await sampler.sample()
    assert set(history.digests[-1].counters) == {("orders", "b")}


async def test_after_a_pause_all_digests_are_read() -> None:
    clock, source = ManualClock(), RecordedSource({**ROWS, Statement.RECENT_DIGESTS: []})
    sampler, history = sampler_of(source, clock)
    await sampler.sample()
    source.rows[Statement.DIGESTS] = [digest("a", 70), digest("b", 9)]
    clock.seconds += 100.0
    await sampler.sample()
    assert history.digests[-1].counters[("orders", "a")][0] == 70


async def test_sampling_goes_on_after_failures_of_any_kind() -> None:
    source = RecordedSource(ROWS, failure=StorexError(Reason.DATABASE_UNREACHABLE))
    sampler, history = sampler_of(source, ManualClock())
    task = asyncio.create_task(sampler.run())
    await asyncio.sleep(0.4)
    assert reason_of(sampler) is Reason.DATABASE_UNREACHABLE
    source.failure = None
    source.rows[Statement.PROCESSES] = [{"odd": "row"}]
    await asyncio.sleep(1.2)
    assert reason_of(sampler) is Reason.INTERNAL
    source.rows = dict(ROWS)
    await asyncio.sleep(2.4)
    assert reason_of(sampler) is None
    assert history.connections
    task.cancel()


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        ("Waiting for table metadata lock", True),
        ("Waiting for table flush", True),
        ("Locked", True),
        ("Waiting for handler commit", False),
        ("Sending data", False),
        ("unblocked", False),
    ],
)
def test_which_states_are_those_of_who_waits(state: str, *, waits: bool) -> None:
    assert (LOCK_STATES.search(state) is not None) is waits
