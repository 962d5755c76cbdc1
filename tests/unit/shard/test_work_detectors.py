"""Causes that show in what statements cost and how often they are sent, and a server that takes no more connections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.shard.detectors import (
    connections_exhausted,
    query_heavy_scan,
    query_missing_index,
    query_plan_regression,
    query_temp_spill,
    traffic_n_plus_one,
)
from services.shard.detectors.query_scans import looks_for_few_rows
from services.shard.detectors.readings import Detection, Readings
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import ActivitySample, DigestSample, History, RunningStatement
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2, session_pb2
from tests.unit.shard.findings import NOW, check_against_the_catalogue, check_prose, entities, limited, readings

DETECTS = (
    query_heavy_scan.detect,
    query_plan_regression.detect,
    query_temp_spill.detect,
    traffic_n_plus_one.detect,
)


def statement(digest: str = "d1", text: str = "SELECT region, SUM(total) FROM lines GROUP BY region") -> d.QueryStats:
    return d.QueryStats(
        statement=session_pb2.Statement(digest=digest, digest_text=text), schema="shop", tables=["shop.lines"]
    )


def answer_of(*queries: d.QueryStats) -> d.ListTopQueriesResponse:
    return d.ListTopQueriesResponse(window_seconds=20.0, queries=queries)


def costing(query: d.QueryStats, **figures: float) -> d.QueryStats:
    for name, value in figures.items():
        setattr(query, name, value)
    return query


@pytest.mark.parametrize("detect", DETECTS)
def test_sampled_statements_are_not_judged(detect: Callable[[Readings], Detection]) -> None:
    answer = answer_of()
    limited(answer, "statement_digests", "SAMPLED_ONLY")
    assert detect(readings(list_top_queries=answer)).not_checked


# query.heavy_scan


def scan(**changes: float) -> d.QueryStats:
    figures = {"calls": 40, "load": 1.5, "rows_examined": 4_000_000, "rows_sent": 400, "unindexed_calls": 40}
    return costing(statement(), **{**figures, **changes})


def test_a_scan_as_it_was_written() -> None:
    answer = answer_of(scan())
    [finding] = query_heavy_scan.detect(readings(list_top_queries=answer)).findings
    check_against_the_catalogue(finding, {"list_top_queries": answer})
    check_prose(finding)
    assert entities(finding) == {
        ("cause", "statement_digest"): ["d1"],
        ("affected", "table"): ["shop.lines"],
        ("affected", "schema"): ["shop"],
    }
    assert not query_missing_index.detect(readings(list_top_queries=answer)).findings


@pytest.mark.parametrize(
    "changes",
    [{"calls": 2}, {"load": 0.1}, {"rows_examined": 40_000}, {"rows_affected": 4_000_000}],
    ids=["a report", "no load", "small", "it changes what it reads"],
)
def test_scans_that_are_not_told(changes: dict[str, float]) -> None:
    assert not query_heavy_scan.detect(readings(list_top_queries=answer_of(scan(**changes)))).findings


def test_one_session_alone_is_a_batch() -> None:
    running = RunningStatement("shop", "d1", "", (), 7, 0.5, None)
    history = History()
    for age in (4, 3, 2, 1):
        history.add_activity(ActivitySample(NOW - age, (running,)))
    alone = query_heavy_scan.detect(readings(history, list_top_queries=answer_of(scan(load=0.9))))
    assert not alone.findings
    assert "batch" in alone.reason


def running(text: str, **changes: float) -> d.ListTopQueriesResponse:
    """A statement of which no call has ended."""
    figures = {"running_sessions": 3, "running_seconds": 45.0, "running_load": 2.6}
    return answer_of(costing(statement(text=text), **{**figures, **changes}))


SUMS_UP = "SELECT region, SUM(total) FROM lines GROUP BY region"
LOOKS_UP = "SELECT id FROM lines WHERE sku = ?"


def test_a_statement_that_never_ends_is_told_while_it_runs() -> None:
    answer = running(SUMS_UP)
    [finding] = query_heavy_scan.detect(readings(list_top_queries=answer)).findings
    assert entities(finding)["cause", "statement_digest"] == ["d1"]
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL
    assert "45 s in 3 sessions" in finding.summary
    check_prose(finding)
    assert not query_missing_index.detect(readings(list_top_queries=answer)).findings


@pytest.mark.parametrize("text", [LOOKS_UP, "SELECT * FROM lines WHERE id BETWEEN ? AND ?"], ids=["one", "a dump"])
def test_nothing_shows_yet_that_one_which_looks_for_rows_lacks_an_index(text: str) -> None:
    read = readings(list_top_queries=running(text))
    assert not query_missing_index.detect(read).findings
    assert not query_heavy_scan.detect(read).findings


@pytest.mark.parametrize(("calls", "errors", "told"), [(40, 0, False), (3, 3, True)], ids=["it ends", "broken off"])
def test_a_report_that_has_ended_before_is_known_to_end(calls: int, errors: int, *, told: bool) -> None:
    history, none = History(), dict.fromkeys(DIGEST_COUNTERS, 0)
    counters = tuple((none | {"calls": calls, "errors": errors}).values())
    history.add_digests(DigestSample(NOW - 30.0, {("shop", "d1"): counters}))
    history.add_digests(DigestSample(NOW - 1.0, {}))
    found = query_heavy_scan.detect(readings(history, list_top_queries=running(SUMS_UP))).findings
    assert bool(found) is told


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (SUMS_UP, {"running_sessions": 1}),
        (SUMS_UP, {"running_seconds": 4.0}),
        (LOOKS_UP + " FOR UPDATE", {}),
        ("SELECT id FROM lines WHERE sku = ? LOCK IN SHARE MODE", {}),
        ("UPDATE lines SET total = ? WHERE sku = ?", {}),
    ],
    ids=["a report", "not for long", "may wait for a lock", "may wait for a shared lock", "a write"],
)
def test_statements_that_may_run_on(text: str, changes: dict[str, float]) -> None:
    read = readings(list_top_queries=running(text, **changes))
    assert not query_heavy_scan.detect(read).findings
    assert not query_missing_index.detect(read).findings


def test_calls_that_run_count_with_those_that_ended() -> None:
    few = scan(calls=2, rows_examined=200_000, load=0.2, running_sessions=2, running_load=1.4)
    assert query_heavy_scan.detect(readings(list_top_queries=answer_of(few))).findings


@pytest.mark.parametrize(
    ("text", "helps"),
    [
        ("SELECT * FROM lines WHERE sku = ?", True),
        ("SELECT COUNT(*) FROM lines WHERE sku = ?", True),
        ("SELECT COUNT(*) FROM lines WHERE sku IN (?, ...)", True),
        ("SELECT * FROM lines ORDER BY made DESC LIMIT ?", True),
        ("SELECT a.x FROM a JOIN b ON a.id = b.a", True),
        ("SELECT sku, COUNT(*) FROM lines WHERE id > ? GROUP BY sku ORDER BY 2 DESC LIMIT ?", False),
        ("SELECT COUNT(*) FROM lines WHERE made >= ? AND made < ?", False),
        ("SELECT DISTINCT sku FROM lines", False),
    ],
)
def test_whether_an_index_could_help(text: str, *, helps: bool) -> None:
    assert looks_for_few_rows(text) is helps


# query.plan_regression


def changed(before: d.CallCost, after: d.CallCost, *, load: float = 0.5) -> d.ListTopQueriesResponse:
    query = costing(statement(), calls=after.calls, load=load, rows_examined=int(after.calls * after.rows_examined))
    query.work_change.CopyFrom(d.WorkChange(before=before, after=after))
    return answer_of(query)


GOOD = d.CallCost(calls=500, average_seconds=0.001, rows_examined=30.0, rows_returned=30.0)
BAD = d.CallCost(calls=50, average_seconds=0.08, rows_examined=90_000.0, rows_returned=30.0, unindexed_share=1.0)


def test_a_plan_that_became_worse() -> None:
    answer = changed(GOOD, BAD)
    [finding] = query_plan_regression.detect(readings(list_top_queries=answer)).findings
    check_against_the_catalogue(finding, {"list_top_queries": answer})
    assert "no longer uses an index" in finding.summary


@pytest.mark.parametrize(
    "answer",
    [
        changed(GOOD, GOOD),
        changed(GOOD, BAD, load=0.01),
        changed(GOOD, d.CallCost(calls=50, average_seconds=1.0, rows_examined=90_000.0, rows_returned=90_000.0)),
        changed(GOOD, d.CallCost(calls=50, average_seconds=0.001, rows_examined=90_000.0, rows_returned=1.0)),
        answer_of(scan()),
    ],
    ids=["the same", "no load", "more is returned", "as quick as ever", "nothing is known of before"],
)
def test_work_that_grew_for_other_reasons(answer: d.ListTopQueriesResponse) -> None:
    assert not query_plan_regression.detect(readings(list_top_queries=answer)).findings


# query.temp_spill


def test_temporary_tables_on_disk() -> None:
    answer = answer_of(scan(temp_disk_tables=40))
    [finding] = query_temp_spill.detect(readings(list_top_queries=answer)).findings
    check_against_the_catalogue(finding, {"list_top_queries": answer})
    assert entities(finding)["cause", "variable"] == ["tmp_table_size"]


@pytest.mark.parametrize(
    "changes", [{"temp_disk_tables": 3}, {"temp_disk_tables": 40, "load": 0.01}, {"rows_examined": 4_000}]
)
def test_temporary_tables_that_do_not_matter(changes: dict[str, float]) -> None:
    answer = answer_of(scan(**{"temp_disk_tables": 40, **changes}))
    assert not query_temp_spill.detect(readings(list_top_queries=answer)).findings


# traffic.n_plus_one


def page_of_entries(*pieces: tuple[int, int]) -> tuple[History, d.ListTopQueriesResponse]:
    """Lists with so many rows and so many calls of the small statement in each interval."""
    history, calls, rows = History(), 0, 0
    for number, (more_calls, more_rows) in enumerate([(0, 0), *pieces]):
        calls, rows = calls + more_calls, rows + more_rows
        counters = {
            ("shop", name): tuple(values.get(counter, 0) for counter in DIGEST_COUNTERS)
            for name, values in (("small", {"calls": calls}), ("list", {"calls": rows // 60, "rows_sent": rows}))
        }
        history.add_digests(DigestSample(NOW - 2.0 * (len(pieces) - number), counters))
    small = costing(
        statement("small", "SELECT * FROM lines WHERE id = ?"),
        calls=calls,
        calls_per_second=calls / 20.0,
        rows_examined=calls,
        rows_sent=calls,
    )
    large = costing(statement("list", "SELECT id FROM lines"), calls=rows // 60, rows_sent=rows, rows_examined=rows)
    return history, answer_of(small, large)


def test_a_statement_for_each_row_of_a_list() -> None:
    history, answer = page_of_entries((600, 620), (1800, 1750))
    [finding] = traffic_n_plus_one.detect(readings(history, list_top_queries=answer)).findings
    check_against_the_catalogue(finding, {"list_top_queries": answer})
    assert entities(finding)["cause", "statement_digest"] == ["small"]


def test_entries_with_children_of_their_own_and_pages_half_done_between_two_samples() -> None:
    history, answer = page_of_entries((600, 780), (1800, 1650))
    answer.queries[0].rows_sent = answer.queries[0].rows_examined = 5 * answer.queries[0].calls
    assert traffic_n_plus_one.detect(readings(history, list_top_queries=answer)).findings


def test_changing_each_row_of_a_list_is_no_reading_of_it() -> None:
    history, answer = page_of_entries((600, 620), (1800, 1750))
    answer.queries[0].statement.digest_text = "UPDATE lines SET seen = ? WHERE id = ?"
    assert not traffic_n_plus_one.detect(readings(history, list_top_queries=answer)).findings


@pytest.mark.parametrize(
    "pieces",
    [
        ((600, 1750), (1800, 620)),  # the same in sum, but not together
        ((2400, 60), (1800, 60)),  # many small statements without a list
        ((20, 20), (40, 40)),  # few
        ((2400, 2370),),  # seen once
    ],
)
def test_small_statements_that_follow_no_list(pieces: tuple[tuple[int, int], ...]) -> None:
    history, answer = page_of_entries(*pieces)
    assert not traffic_n_plus_one.detect(readings(history, list_top_queries=answer)).findings


# connections.exhausted


def full(current: int, *, refused: int = 0) -> d.GetConnectionsResponse:
    group = d.ConnectionGroup(user="thumbs", host="10.0.0.9", program="worker", total=90, running=2, idle=88)
    return d.GetConnectionsResponse(
        current=current, max_connections=100, used_ratio=current / 100, refused=refused, groups=[group]
    )


@pytest.mark.parametrize("answer", [full(100), full(101), full(96, refused=7)])
def test_no_connection_is_left(answer: d.GetConnectionsResponse) -> None:
    [finding] = connections_exhausted.detect(readings(get_connections=answer)).findings
    check_against_the_catalogue(finding, {"get_connections": answer})
    check_prose(finding)
    assert entities(finding)["holder", "user"] == ["thumbs"]


@pytest.mark.parametrize("answer", [full(99), full(60, refused=7)])
def test_there_is_room(answer: d.GetConnectionsResponse) -> None:
    assert not connections_exhausted.detect(readings(get_connections=answer)).findings
