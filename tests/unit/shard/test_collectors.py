"""Collectors over recorded result sets: what they make of them, and what they say where some are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.collectors.innodb_status import get_innodb_status
from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.overview import get_overview
from services.shard.collectors.processes import list_processes
from services.shard.collectors.top_queries import list_top_queries
from services.shard.collectors.transactions import list_transactions
from services.shard.collectors.variables import list_variables
from services.shard.mysql.connection import Row
from services.shard.mysql.dialects import MYSQL
from services.shard.mysql.features import Feature
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import ActivitySample, DigestSample, History, RunningStatement, StatusSample
from services.shard.work.digest_window import cumulative
from storex.diagnostics.v1 import diagnostics_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import ALL, RecordedSource, digest, process, transaction, view_of

SECRET = "Ada Lovelace"
UPDATE = f"UPDATE orders SET note = '{SECRET}' WHERE id = 7"


def wait(waiting: str, blocking: str) -> Row:
    return {
        "waiting_transaction_id": waiting,
        "blocking_transaction_id": blocking,
        "waiting_lock_id": f"{waiting}:5:5:90",
        "blocking_lock_id": f"{blocking}:5:5:90",
    }


def lock(transaction_id: str, **changes: object) -> Row:
    return {
        "lock_id": f"{transaction_id}:5:5:90",
        "lock_mode": "X",
        "lock_type": "RECORD",
        "schema_name": None,
        "table_name": "`orders`.`odd``name` /* Partition `p0` */",
        "index_name": "PRIMARY",
        **changes,
    }


ROW_LOCKS: dict[Statement, list[Row]] = {
    Statement.PROCESSES: [
        process(7, seconds=9.0),
        process(8, command="Query", state="Updating", seconds=2.5, info=UPDATE),
        process(9, command="Query", state="Updating", seconds=1.5, info=UPDATE),
    ],
    Statement.PROGRAMS: [{"connection_id": 7, "program": "batch"}],
    Statement.SESSION_STATEMENTS: [
        {"connection_id": 7, "digest": "d1", "digest_text": "UPDATE `orders` SET `note` = ? ", "ended": 1}
    ],
    Statement.TRANSACTIONS: [
        transaction("57", 7, age_seconds=9.4),
        transaction("58", 8, state="LOCK WAIT", wait_seconds=3.1),
        transaction("59", 9, state="LOCK WAIT", wait_seconds=2.1),
    ],
    Statement.ROW_LOCK_WAITS: [wait("59", "58"), wait("59", "57"), wait("58", "57"), wait("58", "1")],
    Statement.ROW_LOCKS: [lock("57"), lock("58"), lock("59")],
}


async def lock_waits(source: RecordedSource) -> diagnostics_pb2.GetLockWaitsResponse:
    return await get_lock_waits(view_of(source), diagnostics_pb2.GetLockWaitsRequest())


async def test_row_locks_lead_to_the_idle_holder() -> None:
    answer = await lock_waits(RecordedSource(ROW_LOCKS))
    [holder] = answer.holders
    assert (holder.session.connection_id, holder.session.program, holder.session.host) == (7, "batch", "10.0.0.7")
    assert (holder.blocked_sessions, holder.kind) == (2, diagnostics_pb2.LOCK_KIND_ROW)
    assert holder.session.last_statement.digest == "d1"
    assert (holder.transaction.idle, holder.transaction.idle_seconds) == (True, 9.0)
    assert [(waiter.session.connection_id, waiter.root_connection_id, waiter.depth) for waiter in answer.waiters] == [
        (8, 7, 1),
        (9, 7, 1),
    ]
    assert (answer.waiters[0].table, answer.waiters[0].index) == ("orders.odd`name", "PRIMARY")


async def test_a_wait_is_no_longer_than_the_statement_that_waits() -> None:
    answer = await lock_waits(RecordedSource(ROW_LOCKS))
    assert [waiter.wait_seconds for waiter in answer.waiters] == [2.5, 1.5]


async def test_no_literal_is_in_an_answer_about_sessions() -> None:
    answer = await lock_waits(RecordedSource(ROW_LOCKS))
    assert answer.waiters[0].session.statement.digest_text.startswith("UPDATE")
    assert SECRET.encode() not in answer.SerializeToString()


async def test_mysql_without_performance_schema_still_shows_who_waits() -> None:
    source = RecordedSource(ROW_LOCKS, available=ALL - {Feature.PERFORMANCE_SCHEMA}, dialect=MYSQL)
    answer = await lock_waits(source)
    assert [(waiter.session.connection_id, waiter.root_connection_id) for waiter in answer.waiters] == [(8, 0), (9, 0)]
    assert not answer.holders
    assert "PERFORMANCE_SCHEMA_OFF" in [limit.code for limit in answer.observation.limits]


def metadata_lock(connection_id: int, lock_type: str, status: str) -> Row:
    return {
        "object_type": "TABLE",
        "schema_name": "orders",
        "object_name": "lines",
        "lock_type": lock_type,
        "lock_status": status,
        "connection_id": connection_id,
    }


async def test_a_select_behind_a_waiting_alter_leads_to_whoever_stops_the_alter() -> None:
    waiting = {"command": "Query", "state": "Waiting for table metadata lock", "info": "SELECT 1 FROM lines"}
    source = RecordedSource(
        {
            Statement.PROCESSES: [process(4), process(5, **waiting), process(6, **waiting)],
            Statement.METADATA_LOCKS: [
                metadata_lock(4, "SHARED_READ", "GRANTED"),
                metadata_lock(5, "SHARED_UPGRADABLE", "GRANTED"),
                metadata_lock(5, "EXCLUSIVE", "PENDING"),
                metadata_lock(6, "SHARED_READ", "PENDING"),
            ],
        }
    )
    answer = await lock_waits(source)
    chains = {waiter.session.connection_id: (waiter.blocking_connection_id, waiter.depth) for waiter in answer.waiters}
    assert chains == {5: (4, 1), 6: (5, 2)}
    assert [(holder.session.connection_id, holder.kind) for holder in answer.holders] == [
        (4, diagnostics_pb2.LOCK_KIND_METADATA)
    ]
    assert {waiter.table for waiter in answer.waiters} == {"orders.lines"}


async def test_a_metadata_wait_is_told_by_its_state_where_the_locks_are_hidden() -> None:
    waiting = process(5, command="Query", state="Waiting for table metadata lock", info="ALTER TABLE t ADD c INT")
    source = RecordedSource({Statement.PROCESSES: [waiting]}, available=ALL - {Feature.METADATA_LOCKS})
    answer = await lock_waits(source)
    assert [waiter.kind for waiter in answer.waiters] == [diagnostics_pb2.LOCK_KIND_METADATA]
    assert [limit.code for limit in answer.observation.limits] == ["METADATA_LOCK_INSTRUMENT_OFF"]


async def test_processes_are_running_ones_first_and_idle_ones_on_demand() -> None:
    source = RecordedSource(ROW_LOCKS)
    answer = await list_processes(view_of(source), diagnostics_pb2.ListProcessesRequest())
    assert ([one.connection_id for one in answer.processes], answer.total_count) == ([8, 9], 3)
    answer = await list_processes(view_of(source), diagnostics_pb2.ListProcessesRequest(include_idle=True))
    assert [one.connection_id for one in answer.processes] == [8, 9, 7]


async def test_transactions_are_oldest_first_and_read_only_ones_have_no_id() -> None:
    rows = {Statement.TRANSACTIONS: [transaction("5", 1), transaction("421337000000000", 2, age_seconds=90.0)]}
    answer = await list_transactions(view_of(RecordedSource(rows)), diagnostics_pb2.ListTransactionsRequest())
    assert [(one.transaction_id, one.connection_id) for one in answer.transactions] == [("", 2), ("5", 1)]


async def test_a_running_statement_gets_the_digest_that_the_engine_will_count_it_under() -> None:
    source = RecordedSource(
        {Statement.PROCESSES: [process(8, command="Query", info="select * from `lines` where sku='x'")]}
    )
    view = view_of(source)
    view.texts.of_engine("engine-digest", "SELECT * FROM `lines` WHERE `sku` = ? ")
    answer = await list_processes(view, diagnostics_pb2.ListProcessesRequest())
    assert answer.processes[0].statement.digest == "engine-digest"


async def top_queries(source: RecordedSource, history: History) -> diagnostics_pb2.ListTopQueriesResponse:
    clock = ManualClock()
    return await list_top_queries(view_of(source, clock, history), diagnostics_pb2.ListTopQueriesRequest())


def history_before(seconds: float, *rows: Row) -> History:
    history = History()
    history.add_digests(DigestSample(ManualClock().monotonic() - seconds, cumulative(rows)))
    return history


async def test_a_window_is_the_difference_between_two_readings() -> None:
    source = RecordedSource({Statement.DIGESTS: [digest("a", 130), digest("b", 5), digest("fresh", 2)]})
    answer = await top_queries(source, history_before(10.0, digest("a", 100), digest("b", 5)))
    assert answer.window_seconds == 10.0
    assert [(query.statement.digest, query.calls) for query in answer.queries] == [("a", 30), ("fresh", 2)]
    busiest = answer.queries[0]
    assert (busiest.calls_per_second, busiest.total_seconds, busiest.load) == (3.0, 0.6, 0.06)
    assert (busiest.average_seconds, busiest.rows_examined, busiest.no_index_used) == (0.02, 1_500_000, 30)
    assert list(busiest.tables) == ["orders.lines"]


async def test_counters_that_were_reset_count_from_zero() -> None:
    source = RecordedSource({Statement.DIGESTS: [digest("a", 4)]})
    answer = await top_queries(source, history_before(10.0, digest("a", 100)))
    assert [query.calls for query in answer.queries] == [4]


async def test_statements_on_system_schemas_are_left_out() -> None:
    own = digest("own", 9, schema_name=None, digest_text="SELECT * FROM information_schema . innodb_trx LIMIT ?")
    settings = digest("set", 9, schema_name=None, digest_text="SET SESSION lock_wait_timeout = ?")
    answer = await top_queries(RecordedSource({Statement.DIGESTS: [own, settings]}), history_before(10.0))
    assert not answer.queries


async def test_calls_under_no_digest_are_told() -> None:
    full = digest("", 9, digest=None, schema_name=None, digest_text=None)
    answer = await top_queries(RecordedSource({Statement.DIGESTS: [full]}), history_before(10.0))
    assert [limit.code for limit in answer.observation.limits] == ["DIGEST_TABLE_FULL"]
    assert not answer.queries


@pytest.mark.parametrize(("calls", "picoseconds"), [(60, 0), (2, 10**12)], ids=["many calls", "much time"])
async def test_calls_under_no_digest_that_may_hide_something_are_told(calls: int, picoseconds: int) -> None:
    full = digest("", calls, digest=None, schema_name=None, digest_text=None, total_picoseconds=picoseconds)
    answer = await top_queries(RecordedSource({Statement.DIGESTS: [full]}), history_before(10.0))
    assert [limit.code for limit in answer.observation.limits] == ["DIGEST_TABLE_FULL", "STATEMENTS_UNSEEN"]


async def test_without_digests_statements_are_estimated_from_samples() -> None:
    history, now = History(), ManualClock().monotonic()
    for second in range(10):
        running = RunningStatement("orders", "sx-1", "SELECT ?", ("lines",), 8, 0.5 + second, 1000 * second)
        history.add_activity(ActivitySample(now - 10 + second, (running,) if second < 5 else ()))
    source = RecordedSource({}, available=ALL - {Feature.PERFORMANCE_SCHEMA})
    answer = await top_queries(source, history)
    [query] = answer.queries
    assert (query.load, query.total_seconds, query.rows_examined) == (0.5, 5.0, 4000)
    assert [limit.code for limit in answer.observation.limits] == ["PERFORMANCE_SCHEMA_OFF", "SAMPLED_ONLY"]


def watched(*running: RunningStatement, seconds: int = 10) -> History:
    """Samples of one moment after the other in which the same statements run, and digests from before."""
    history, now = history_before(float(seconds)), ManualClock().monotonic()
    for second in range(seconds):
        history.add_activity(ActivitySample(now - seconds + second, running))
    return history


async def test_what_has_not_ended_is_told() -> None:
    long = RunningStatement("orders", "sx-9", "SELECT ward, COUNT(*) FROM lines GROUP BY ward", ("lines",), 8, 40.0, 70)
    second = replace(long, connection_id=9, seconds=12.0, rows_examined=30)
    waiting = replace(long, connection_id=10, waits_for_lock=True)
    short = RunningStatement("orders", "sx-2", "SELECT a FROM lines", ("lines",), 11, 0.4, 1)
    sleeper = RunningStatement("orders", "sx-3", "SELECT SLEEP(?)", (), 12, 90.0, 0)
    source = RecordedSource({Statement.DIGESTS: []})
    answer = await top_queries(source, watched(long, second, waiting, short, sleeper))
    [query] = answer.queries
    assert (query.statement.digest, query.schema, list(query.tables)) == ("sx-9", "orders", ["orders.lines"])
    assert (query.calls, query.running_sessions, query.running_seconds) == (0, 2, 40.0)
    assert (query.running_rows_examined, query.running_load) == (100, 2.0)


async def test_who_waits_for_a_row_lock_does_no_work() -> None:
    """A read under SERIALIZABLE waits for one, and no state of its session's tells."""
    reader = RunningStatement("orders", "sx-9", "SELECT ward FROM lines", ("lines",), 8, 40.0, 70)
    waiting = replace(reader, connection_id=9)
    rows: dict[Statement, list[Row]] = {
        Statement.DIGESTS: [],
        Statement.TRANSACTIONS: [transaction("1", 9, state="LOCK WAIT"), transaction("2", 8)],
    }
    [query] = (await top_queries(RecordedSource(rows), watched(reader, waiting))).queries
    assert (query.running_sessions, query.running_load) == (1, 1.0)
    assert not (await top_queries(RecordedSource(rows), watched(waiting))).queries


async def test_calls_that_run_stand_beside_those_that_ended() -> None:
    ended = digest("a", 130, schema_name="orders")
    running = RunningStatement("orders", "a", "SELECT * FROM lines", ("lines",), 8, 0.3, 5)
    answer = await top_queries(RecordedSource({Statement.DIGESTS: [ended]}), watched(running))
    [query] = answer.queries
    assert (query.calls, query.running_sessions, query.running_load) == (130, 1, 1.0)


async def test_a_sample_from_long_ago_says_nothing_of_what_runs_now() -> None:
    history, now = history_before(60.0), ManualClock().monotonic()
    running = RunningStatement("orders", "sx-1", "SELECT * FROM lines", ("lines",), 8, 300.0, None)
    history.add_activity(ActivitySample(now - 20.0, (running,)))
    assert not (await top_queries(RecordedSource({Statement.DIGESTS: []}), history)).queries


STATUS = [
    {"variable_name": name, "value": value}
    for name, value in (
        ("Uptime", "100"),
        ("Questions", "5000"),
        ("Threads_connected", "12"),
        ("Innodb_buffer_pool_read_requests", "3000"),
        ("Innodb_buffer_pool_reads", "110"),
        ("Innodb_row_lock_waits", "17"),
    )
]


async def test_rates_of_the_overview_come_from_the_window() -> None:
    history, clock = History(), ManualClock()
    before = {
        "Uptime": 90.0,
        "Questions": 4000.0,
        "Innodb_buffer_pool_read_requests": 1000.0,
        "Innodb_buffer_pool_reads": 10.0,
    }
    history.add_status(StatusSample(clock.monotonic() - 10, before))
    server = {"version": "10.11.6-MariaDB", "performance_schema": 1, "read_only": "NO_LOCK", "max_connections": 151}
    source = RecordedSource({Statement.GLOBAL_STATUS: STATUS, Statement.SERVER: [server]})
    answer = await get_overview(view_of(source, clock, history), diagnostics_pb2.GetOverviewRequest())
    assert (answer.window_seconds, answer.queries_per_second, answer.buffer_pool_hit_ratio) == (10.0, 100.0, 0.95)
    assert (answer.read_only, answer.max_connections, answer.threads_connected) == (True, 151, 12)


async def test_the_overview_of_a_silent_server_is_a_limit_with_its_remedy() -> None:
    source = RecordedSource({}, failure=StorexError(Reason.DATABASE_ACCESS_DENIED))
    answer = await get_overview(view_of(source), diagnostics_pb2.GetOverviewRequest())
    [limit] = answer.observation.limits
    assert (limit.code, limit.message) == ("DATABASE_ACCESS_DENIED", "The database refused Storex's account.")
    assert "password" in limit.remedy
    assert answer.engine == "MariaDB"


async def test_the_overview_names_every_gap_even_those_that_it_does_not_need() -> None:
    source = RecordedSource({}, available=ALL - {Feature.PROCESS_PRIVILEGE, Feature.METADATA_LOCKS})
    answer = await get_overview(view_of(source), diagnostics_pb2.GetOverviewRequest())
    assert {(limit.source, limit.code) for limit in answer.observation.limits} == {
        ("process", "PRIVILEGE_MISSING"),
        ("metadata_locks", "METADATA_LOCK_INSTRUMENT_OFF"),
    }
    assert all(limit.remedy for limit in answer.observation.limits)


async def test_the_monitor_is_answered_without_its_text() -> None:
    text = f"""2026-05-04 10:00:30 1 INNODB MONITOR OUTPUT
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-05-04 10:00:20 1
*** (1) TRANSACTION:
TRANSACTION 70, ACTIVE 1 sec
MariaDB thread id 15, OS thread handle 13, query id 369 10.0.0.9 shop_app Updating
{UPDATE}
*** WE ROLL BACK TRANSACTION (1)
---
LOG
---
Log sequence number 1500
Last checkpoint at  1000
"""
    source = RecordedSource({Statement.INNODB_STATUS: [{"status": text}], Statement.GLOBAL_STATUS: STATUS})
    clock = ManualClock()
    answer = await get_innodb_status(view_of(source, clock), diagnostics_pb2.GetInnodbStatusRequest())
    assert (answer.checkpoint_age, answer.row_lock_waits) == (500, 17)
    assert answer.last_deadlock.detected_at.seconds == clock.now() - 10
    assert answer.last_deadlock.transactions[0].statement.digest_text.startswith("UPDATE")
    assert SECRET.encode() not in answer.SerializeToString()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("max_connections", "151", True),
        ("long_query_time", "10.000000", True),
        ("innodb_flush_method", "O_DIRECT", True),
        ("sql_mode", "STRICT_TRANS_TABLES,NO_ZERO_DATE", True),
        ("optimizer_switch", "index_merge=on,mrr=off", True),
        ("read_only", "OFF", True),
        ("datadir", "/var/lib/mysql/", False),
        ("init_connect", "INSERT INTO audit VALUES ('x')", False),
        ("hostname", "db7", False),
        ("report_user", "replicator", False),
        ("ft_boolean_syntax", '+ -><()~*:""&|', False),
        ("version", "10.11.6-MariaDB-0+deb12u1", True),
    ],
)
async def test_free_text_of_variables_stays_home(name: str, value: str, shown: bool) -> None:
    source = RecordedSource({Statement.GLOBAL_VARIABLES: [{"variable_name": name, "value": value}]})
    answer = await list_variables(view_of(source), diagnostics_pb2.ListVariablesRequest())
    [variable] = answer.variables
    assert (variable.variable, variable.value, variable.withheld) == (name, value if shown else "", not shown)


async def test_variables_by_prefix_in_pages() -> None:
    rows = [{"variable_name": name, "value": "1"} for name in ("innodb_b", "innodb_a", "max_a")]
    view = view_of(RecordedSource({Statement.GLOBAL_VARIABLES: rows}))
    first = await list_variables(view, diagnostics_pb2.ListVariablesRequest(prefix="innodb_", page_size=1))
    assert [variable.variable for variable in first.variables] == ["innodb_a"]
    second = await list_variables(
        view, diagnostics_pb2.ListVariablesRequest(prefix="innodb_", page_size=1, page_token=first.next_page_token)
    )
    assert ([variable.variable for variable in second.variables], second.next_page_token) == (["innodb_b"], "")
