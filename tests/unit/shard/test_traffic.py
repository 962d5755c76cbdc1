"""Traffic out of samples: levels of a rate, what each client did, and the collector's answer."""

from __future__ import annotations

import pytest

from libs.core.errors import StorexError
from services.shard.collectors.traffic import get_traffic
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.sampler.client_work import ClientMeter, Counted
from services.shard.sampler.history import ClientSample, ClientWork, ConnectionSample, DigestSample, History, Owner
from services.shard.work.rate_changes import mean_rate, pieces_of, rate_step
from storex.diagnostics.v1 import traffic_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import ALL, RecordedSource, process, view_of

WEB: Owner = ("shop", "10.0.0.1", "web")
JOB: Owner = ("shop", "10.0.0.1", "job")
CRON: Owner = ("cron", "10.0.0.9", "")
OURS: Owner = ("storex", "10.0.0.3", "storex")


def counts(*rates: float, every: float = 2.0) -> list[tuple[float, float]]:
    found, total = [(0.0, 0.0)], 0.0
    for number, per_second in enumerate(rates, 1):
        total += per_second * every
        found.append((number * every, total))
    return found


# Levels


def test_the_moment_of_a_step_and_the_levels_around_it() -> None:
    step = rate_step(pieces_of(counts(50, 55, 45, 50, 400, 420)))
    assert step is not None
    assert (step.at, step.before, step.least) == (8.0, 55.0, 400.0)
    assert step.after == pytest.approx(410.0)
    assert (step.before_seconds, step.after_seconds) == (8.0, 4.0)


def test_the_last_of_two_steps_counts() -> None:
    step = rate_step(pieces_of(counts(*[0.0] * 10, *[60.0] * 50, *[600.0] * 4)))
    assert step is not None
    assert (step.at, step.before) == (120.0, 60.0)


def test_a_peak_before_counts_if_it_was_not_the_only_one() -> None:
    seldom = rate_step(pieces_of(counts(*[50.0] * 30, 500.0, *[50.0] * 30, 700.0, 700.0, 700.0)))
    often = rate_step(pieces_of(counts(*[50.0, 50.0, 50.0, 500.0] * 10, 700.0, 700.0, 700.0)))
    assert seldom is not None
    assert seldom.before == 50.0
    assert often is not None
    assert often.before == 500.0


def test_too_little_has_no_step_and_a_reset_is_a_gap() -> None:
    assert rate_step(pieces_of(counts(50.0))) is None
    assert [piece.per_second for piece in pieces_of([(0.0, 500.0), (2.0, 600.0), (4.0, 10.0), (6.0, 110.0)])] == [
        50,
        50,
    ]
    assert mean_rate([], 0.0) == 0.0
    assert mean_rate(counts(10.0, 30.0), 2.0) == 30.0


# Clients


def look(sessions: dict[int, tuple[Owner, float]], **accounts: float) -> Counted:
    return Counted(
        {number: owner for number, (owner, _) in sessions.items()},
        {number: ClientWork(done) for number, (_, done) in sessions.items()},
        {(user, "10.0.0.1"): ClientWork(done) for user, done in accounts.items()},
    )


def test_growth_of_sessions_goes_to_their_programs() -> None:
    meter = ClientMeter()
    assert meter.count(look({1: (WEB, 100), 2: (JOB, 50)}, shop=150))[WEB].statements == 0
    totals = meter.count(look({1: (WEB, 130), 2: (JOB, 51), 3: (JOB, 7)}, shop=188))
    assert (totals[WEB].statements, totals[JOB].statements, totals[JOB].connects) == (30, 8, 1)


def test_what_an_account_did_beyond_its_sessions_is_that_of_those_that_came_and_went() -> None:
    meter = ClientMeter()
    meter.count(look({1: (WEB, 100), 2: (JOB, 5)}, shop=105))
    totals = meter.count(look({1: (WEB, 110)}, shop=415))
    assert (totals[WEB].statements, totals[JOB].statements) == (10, 300)
    totals = meter.count(look({1: (WEB, 120)}, shop=625))
    assert totals[WEB].statements == 220, "the only program there is"


def test_two_readings_that_are_not_of_one_moment_mean_nothing() -> None:
    meter = ClientMeter()
    meter.count(look({1: (WEB, 1_000), 2: (JOB, 0)}, shop=1_000))
    totals = meter.count(look({1: (WEB, 2_000), 2: (JOB, 0)}, shop=2_004))
    assert totals[WEB].statements == 1_000
    assert sum(work.statements for work in totals.values()) == 1_000


def test_a_restart_counts_from_zero_and_never_back() -> None:
    meter = ClientMeter()
    meter.count(look({1: (WEB, 5_000)}, shop=5_000))
    before = meter.count(look({1: (WEB, 5_100)}, shop=5_100))[WEB].statements
    after = meter.count(look({1: (WEB, 30)}, shop=30))[WEB].statements
    assert (before, after) == (100, 130)


def test_without_counts_the_servers_own_is_shared_out() -> None:
    meter = ClientMeter()
    owners = {1: WEB, 2: JOB}
    meter.guess(owners, [1, 2], 100.0, 5.0)
    totals = meter.guess({**owners, 3: JOB}, [2, 3], 180.0, 6.0)
    assert (totals[WEB].statements, totals[JOB].statements, totals[JOB].connects) == (0, 80, 1)


# The collector

_COUNTER = {"statements": DIGEST_COUNTERS.index("calls"), "time": DIGEST_COUNTERS.index("total_picoseconds")}


def watched(clock: ManualClock, *, spike_from: int = 25, samples: int = 30, counted: bool = True) -> History:
    """A sample every two seconds until now: web goes from 20 to 400 a second, cron stays, Storex itself does much."""
    history = History()
    web = calls = 0.0
    for number in range(samples):
        at = clock.monotonic() - 2.0 * (samples - 1 - number)
        more = 400.0 if number > spike_from else 20.0
        web, calls = web + (more * 2 if number else 0.0), calls + (more if number else 0.0)
        work = {WEB: ClientWork(web), CRON: ClientWork(number * 10.0), OURS: ClientWork(number * 900.0)}
        history.add_clients(ClientSample(at, work, counted))
        history.add_connections(ConnectionSample(at, {WEB: 12 if number > spike_from else 3, CRON: 1}))
        counters = [0] * len(DIGEST_COUNTERS)
        counters[_COUNTER["statements"]], counters[_COUNTER["time"]] = int(calls), int(calls * 2e9)
        history.add_digests(DigestSample(at, {("shop", "d1"): tuple(counters)}))
    return history


ROWS: dict[Statement, list[Row]] = {
    Statement.GLOBAL_STATUS: [{"variable_name": "Uptime", "value": "7200"}],
    Statement.SERVER: [{"version": "x", "performance_schema": 1, "read_only": 0, "max_connections": 100}],
    Statement.PROCESSES: [
        *(process(number, user="shop", host="10.0.0.1:9") for number in range(1, 13)),
        process(90, user="cron", host="10.0.0.9:9"),
        process(91, user="storex", host="10.0.0.3:9"),
    ],
    Statement.PROGRAMS: [
        *({"connection_id": number, "program": "web"} for number in range(1, 13)),
        {"connection_id": 91, "program": "storex"},
    ],
}


async def test_who_changed_from_what_to_what_and_since_when() -> None:
    clock = ManualClock()
    view = view_of(RecordedSource(ROWS), clock, watched(clock))
    view.texts.of_engine("d1", "SELECT * FROM `baskets` WHERE `id` = ?")
    answer = await get_traffic(view, traffic_pb2.GetTrafficRequest())
    web, cron = answer.clients
    assert (web.user, web.program, web.host, web.connections, web.earlier_connections) == (
        "shop", "web", "10.0.0.1", 12, 3,
    )  # fmt: skip
    assert (web.statements.per_second, web.statements.earlier_per_second, web.statements.factor) == (400.0, 20.0, 20.0)
    assert web.statements.lasted_seconds == 8.0
    assert web.statements.changed_at.ToNanoseconds() / 1e9 == pytest.approx(clock.now() - 8.0, abs=0.01)
    assert cron.statements.per_second == pytest.approx(5.0)
    assert answer.statements.per_second == pytest.approx(405.0), "Storex's own are left out"
    assert (answer.connections, answer.max_connections) == (13, 100)
    assert [(host.host, host.connections) for host in answer.hosts] == [("10.0.0.1", 12), ("10.0.0.9", 1)]
    [digest] = answer.digests
    assert (digest.calls.per_second, digest.calls.earlier_per_second) == (200.0, 10.0)
    assert (digest.average_seconds, digest.earlier_average_seconds) == (0.002, 0.002)
    assert list(answer.observation.limits) == []


async def test_what_was_not_counted_or_not_watched_is_said() -> None:
    clock = ManualClock()
    empty = await get_traffic(view_of(RecordedSource(ROWS), clock), traffic_pb2.GetTrafficRequest())
    assert (empty.window_seconds, [limit.code for limit in empty.observation.limits]) == (0, ["TRAFFIC_NOT_SAMPLED"])
    guessed = view_of(RecordedSource(ROWS, available=ALL), clock, watched(clock, counted=False))
    answer = await get_traffic(guessed, traffic_pb2.GetTrafficRequest())
    assert [limit.code for limit in answer.observation.limits] == ["TRAFFIC_ESTIMATED"]
    assert "performance_schema=ON" in answer.observation.limits[0].remedy


async def test_a_window_out_of_bounds_is_refused() -> None:
    request = traffic_pb2.GetTrafficRequest()
    request.window.FromSeconds(86_400)
    with pytest.raises(StorexError):
        await get_traffic(view_of(RecordedSource(ROWS)), request)
