"""What a sloppy or hostile model writes in prose, against what was recorded."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.agent.records import Records
from services.agent.report.prose.check import Ground
from services.agent.report.prose.figures import Dimension, figures, plain
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import session_pb2
from storex.history.v1 import history_pb2 as h
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import claimed, health_record, record, report_on

OTHER = "regions/eu-west-1/instances/orders-2"


def _records() -> Records:
    elsewhere = answers.lock_waits(holder=777, victims=(778,), name=OTHER)
    elsewhere.waiters[0].wait_seconds = 555.0
    return Records(
        [
            health_record(answers.health(answers.blocker_finding())),
            record("get_lock_waits", answers.lock_waits()),
            record("list_top_queries", answers.top_queries()),
            record("get_connections", answers.connections()),
            record("get_overview", answers.overview()),
            record(
                "list_variables",
                d.ListVariablesResponse(variables=[d.Variable(variable="wait_timeout", value="28800")]),
            ),
            record("get_lock_waits", elsewhere, OTHER),
        ]
    )


def _problem(text: str, records: Records | None = None, *, confirmed: bool = True) -> str:
    records = records or _records()
    report = report_on(list(records), claimed(answers.blocker_finding()))
    verdict = report_pb2.VERDICT_CONFIRMED if confirmed else report_pb2.VERDICT_LIKELY
    return Ground(records, (NAME,), verdict, report.root_causes).problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "Connection 812 blocks 3 sessions for 37.2 s.",
        "It has been idle for 38 s.",
        "The longest wait is 37,200 ms, about 37 seconds.",
        "The table `shop.orders` is locked.",
        "A batch job holds the locks.",
        "Sessions 901, 902 and 903 wait for connection 812.",
        "Three sessions are waiting behind connection 812.",
        "Connection 901 is blocked by connection 812.",
        "Session 901 waits, while 812 holds the lock.",
        "Connection 812, which 901 waits for, is idle.",
        "Statement 0f3c6d1e examined 5 million rows in 100 calls, 1.2 s each.",
        "140 of 151 connections are in use (93 %).",
        "Connections in use grew by 60.",
        "users_app holds 120 idle connections.",
        "It is not connections.leak.",
        "Confirmed: lock.row_blocker, held by user orders_batch at 10.0.0.7.",
        "It began 40 s ago.",
        "The wait_timeout of 28800 s does not end it.",
        "On orders-2 connection 777 blocks 778.",
        "MariaDB 10.11.6 keeps row locks until the transaction ends.",
    ],
)
def test_what_was_recorded_may_be_said(text: str) -> None:
    assert _problem(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "It has been idle for 39.5 s.",
        "The longest waits 300 s.",
        "The longest waits for 37 ms.",
        "The longest waits 37 minutes.",
        "The longest waits thirty-seven minutes.",
        "The longest waits \uff13\uff17 minutes.",
        "Sessions wait 555 s.",
        "9 sessions wait for it.",
        "Hundreds of sessions wait for it.",
        "Dozens of rows were changed.",
        "5,000,000 sessions wait.",
        "The statement made 5,000,000 calls.",
        "3 rows are read a second.",
        "100 calls a second run.",
        "93 connections are in use.",
        "151 % of connections are in use.",
        "140 MB are in use.",
        "It was given 28800 s.",
    ],
)
def test_a_figure_counts_only_with_its_unit_and_as_a_count_of_the_same(text: str) -> None:
    assert "figure" in _problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "Connection 901 holds the locks.",
        "Connection 812 waits for connection 901.",
        "Connection 812 is blocked by 901.",
        "902 blocks 812.",
        "orders_app holds the row locks.",
        "The culprit is orders_app.",
        "User orders_batch is waiting.",
        "The victim is orders_batch.",
        "The holder 901 keeps a transaction open.",
    ],
)
def test_nobody_is_given_another_ones_part(text: str) -> None:
    assert "part" in _problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "Connection 813 is to blame.",
        "Connection 151 is to blame.",
        "The table `shop.payroll` is locked.",
        "The table payroll is locked.",
        "User bob did it.",
        "It comes from 10.0.0.8.",
        "Statement deadbeef1 is slow.",
        "shop.payments is full.",
        "It came with release v2.4.1.",
        "Connection 777 is to blame.",
        "It is prn_0123456789ab.",
        "See https://example.org.",
        "It began at 03:17 UTC.",
        "It began on 2025-01-01.",
    ],
)
def test_names_and_times_that_nothing_shows_are_not_said(text: str) -> None:
    assert "name" in _problem(text)


@pytest.mark.parametrize(
    "text",
    [
        "Someone should kill it.",
        "Terminate session 812.",
        "You should restart the server.",
        "Restart mysqld to clear it.",
        "Increase the timeout.",
        "Run KILL 901.",
        "I recommend a failover.",
        "sudo systemctl restart mariadb.",
    ],
)
def test_advice_and_commands_come_from_code_only(text: str) -> None:
    assert _problem(text) == "commands and advice are written by code"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Everything is healthy.", "healthy"),
        ("All is well.", "healthy"),
        ("No session waits any more and everything is healthy.", "healthy"),
        ("The server is healthy, it has no lag.", "healthy"),
        ("It was lock.metadata.", "not verified"),
        ("It is not capacity.disk_full.", "no reading rules out"),
        ("It is not lock.row_blocker, it is query.missing_index.", "not verified"),
    ],
)
def test_nothing_is_called_well_or_ruled_out_that_was_not_found_so(text: str, why: str) -> None:
    records = Records([*_records(), health_record(answers.health(answers.blocker_finding(), checks=_LOCKS_ONLY))])
    assert why in _problem(text, records) or "rules out" in _problem(text, records)


_LOCKS_ONLY = (answers.check("lock.row_blocker", "FOUND"), answers.check("query.missing_index", "NOT_CHECKED"))


def test_likely_is_not_said_to_be_certain() -> None:
    assert _problem("It is certainly the batch job.", confirmed=False)
    assert not _problem("It is certainly the batch job.")


def _moving(low: float, high: float) -> Records:
    normal = h.Normal(metric="threads_running", unit="1", median=low, current=high)
    change = d.WorkChange(
        before=d.CallCost(calls=100, rows_examined=low), after=d.CallCost(calls=100, rows_examined=high)
    )
    query = d.QueryStats(statement=session_pb2.Statement(digest="aaaa"), work_change=change)
    return Records(
        [
            record("get_normal", h.GetNormalResponse(normals=[normal])),
            record("list_top_queries", d.ListTopQueriesResponse(observation=answers.observation(), queries=[query])),
        ]
    )


@pytest.mark.parametrize(
    ("text", "rises"),
    [
        ("threads_running rose from 10 to 400.", True),
        ("The rows examined increased.", True),
        ("Threads running went up.", True),
        ("threads_running fell.", False),
        ("The rows examined dropped from 400 to 10.", False),
    ],
)
def test_a_rise_is_not_told_as_a_fall(text: str, rises: bool) -> None:
    up, down = _moving(10, 400), _moving(400, 10)
    right, wrong = (up, down) if rises else (down, up)
    assert _problem(text, right) == ""
    assert "other way" in _problem(text, wrong)


def test_a_rise_that_nothing_shows_is_not_told() -> None:
    assert _problem("The replication lag grew.") == "no rise was recorded"
    assert _problem("Latency doubled.") == "no rise was recorded"


def test_only_the_newest_reading_counts() -> None:
    before = record("get_lock_waits", answers.lock_waits(idle_seconds=12.0))
    now = record("get_lock_waits", answers.lock_waits())
    assert _problem("It has been idle for 12 s.", Records([before])) == ""
    assert "figure" in _problem("It has been idle for 12 s.", Records([before, now]))


def test_an_earlier_sessions_report_is_no_ground() -> None:
    from storex.agent.v1 import agent_pb2

    old = report_pb2.Report(usage=report_pb2.Usage(wall_seconds=4711.0), created_at=Timestamp(seconds=1))
    session = agent_pb2.Session(turns=[agent_pb2.Turn(report=old)])
    past = record("list_past_sessions", agent_pb2.ListSessionsResponse(sessions=[session]))
    assert "figure" in _problem("It takes 4711 s.", Records([*_records(), past]))


@pytest.mark.parametrize(
    ("text", "low", "high", "dimension"),
    [
        ("3 min 20 s", 199.5, 200.5, Dimension.TIME),
        ("2 h 5 min", 7470, 7530, Dimension.TIME),
        ("300ms", 0.2995, 0.3005, Dimension.TIME),
        ("1.2M rows", 1_150_000, 1_250_000, Dimension.COUNT),
        ("12 calls a second", 11.5, 12.5, Dimension.RATE),
        ("90 calls per minute", 89.5 / 60, 90.5 / 60, Dimension.RATE),
        ("93 %", 0.925, 0.935, Dimension.SHARE),
        ("two hundred and fifty rows", 249.5, 250.5, Dimension.COUNT),
        ("1 000 000 rows", 999_999.5, 1_000_000.5, Dimension.COUNT),
        ("30 times as many", 29.5, 30.5, Dimension.FACTOR),
    ],
)
def test_figures_are_read_with_their_units(text: str, low: float, high: float, dimension: Dimension) -> None:
    (figure,) = figures(plain(text))
    assert figure.low == pytest.approx(low)
    assert figure.high == pytest.approx(high)
    assert figure.dimension is dimension
