"""What a store promises, whatever it is made of."""

from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.stores.records import Batch, Change, Point, Sample, SeenStatement, State, Tier, Work
from services.shard.stores.retention import DEFAULT
from services.shard.stores.store import HistoryStore
from tests.integration.stores.conftest import Kind

ORDERS, PAYMENTS = "regions/eu/instances/orders-1", "regions/eu/instances/payments-1"
NOW = 1_800_000_000.0
SELECT = SeenStatement("shop", "d1", "SELECT * FROM carts WHERE id = ?", NOW - 5, NOW)


def counters(calls: int) -> tuple[int, ...]:
    return (calls, *range(1, len(DIGEST_COUNTERS)))


def sampled(*samples: Sample, instance: str = ORDERS) -> Batch:
    return Batch(instance, samples=samples)


def test_a_series_holds_what_was_sampled_in_order_and_in_its_range(store: HistoryStore) -> None:
    store.write([sampled(Sample(NOW + 1, {"a": 2.5}), Sample(NOW, {"a": 1.25}), Sample(NOW + 2, {"a": -3e30}))])
    assert store.series(ORDERS, "a", Tier.RAW, NOW, NOW + 2) == [
        Point(NOW, 1.25, 1.25, 1.25),
        Point(NOW + 1, 2.5, 2.5, 2.5),
    ]
    assert store.series(PAYMENTS, "a", Tier.RAW, NOW, NOW + 9) == []
    assert store.series(ORDERS, "none", Tier.RAW, NOW, NOW + 9) == []


def test_values_keep_their_first_six_figures_whatever_their_size(store: HistoryStore) -> None:
    values = {"tiny": 1.23456e-12, "large": 987_654e9, "beyond": 1e300, "below": -1e300, "unknown": float("nan")}
    store.write([sampled(Sample(NOW, values))])
    ((_, row),) = store.rows(ORDERS, Tier.RAW, NOW, NOW + 1)
    assert row.keys() == values.keys() - {"unknown"}
    assert row["tiny"].mean == pytest.approx(1.23456e-12, rel=1e-6)
    assert row["large"].mean == pytest.approx(987_654e9, rel=1e-6)
    assert row["beyond"].mean == -row["below"].mean > 3e38


def test_metrics_may_come_and_go(kind: Kind, store: HistoryStore) -> None:
    store.write([sampled(Sample(NOW, {"a": 1.0}))])
    store.write([sampled(Sample(NOW + 1, {"b": 2.0}), Sample(NOW + 2, {"a": 3.0, "b": 4.0}))])
    again = kind.open()
    again.write([sampled(Sample(NOW + 3, {"c": 5.0}))])
    again.close()
    assert [point.at - NOW for point in store.series(ORDERS, "a", Tier.RAW, NOW, NOW + 9)] == [0.0, 2.0]
    assert [point.mean for point in store.series(ORDERS, "b", Tier.RAW, NOW, NOW + 9)] == [2.0, 4.0]
    rows = store.rows(ORDERS, Tier.RAW, NOW, NOW + 9)
    assert [{name: point.mean for name, point in row.items()} for _, row in rows] == [
        {"a": 1.0},
        {"b": 2.0},
        {"a": 3.0, "b": 4.0},
        {"c": 5.0},
    ]


def test_a_sample_of_the_same_moment_takes_the_others_place(store: HistoryStore) -> None:
    store.write([sampled(Sample(NOW, {"a": 1.0}))])
    store.write([sampled(Sample(NOW, {"a": 2.0}))])
    assert [point.mean for point in store.series(ORDERS, "a", Tier.RAW, NOW, NOW + 1)] == [2.0]


def test_everything_is_there_after_it_was_opened_again(kind: Kind, store: HistoryStore) -> None:
    change = Change(NOW, "variable", {"variable": "max_connections", "new": "5"}, since=NOW - 60)
    batch = Batch(
        ORDERS,
        samples=(Sample(NOW, {"a": 1.0}),),
        work=(Work(NOW, 10.0, {SELECT.key: counters(7)}),),
        statements=(SELECT,),
        changes=(change,),
        states={"variables": State(NOW, b"\x00\xff")},
    )
    store.write([batch], durable=True)
    store.close()
    again = kind.open()
    assert again.instances() == [ORDERS]
    assert again.span(ORDERS) == (NOW, NOW)
    assert again.work(ORDERS, Tier.RAW, NOW, NOW + 1) == [Work(NOW, 10.0, {SELECT.key: counters(7)})]
    assert again.statements(ORDERS) == {SELECT.key: SELECT}
    assert again.changes(ORDERS, NOW, NOW + 1) == [change]
    assert again.states(ORDERS) == {"variables": State(NOW, b"\x00\xff")}
    again.close()


def test_batches_are_kept_all_or_none(store: HistoryStore) -> None:
    good = sampled(Sample(NOW, {"a": 1.0}))
    unwritable = Batch(ORDERS, changes=(Change(NOW, "variable", {"new": object()}),))  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        store.write([good, unwritable])
    assert store.span(ORDERS) is None
    assert store.instances() == []
    store.write([sampled(Sample(NOW, {"a": 1.0}))])
    assert store.span(ORDERS) == (NOW, NOW)


def test_changes_newest_first_by_kind_and_each_once(store: HistoryStore) -> None:
    restart, deploy = Change(NOW, "restart", {}), Change(NOW + 5, "deploy", {"service": "orders"})
    store.write([Batch(ORDERS, changes=(restart, deploy))])
    store.write([Batch(ORDERS, changes=(deploy,))])
    assert store.changes(ORDERS, NOW, NOW + 9) == [deploy, restart]
    assert store.changes(ORDERS, NOW, NOW + 9, ["deploy"]) == [deploy]
    assert store.changes(ORDERS, NOW, NOW + 5) == [restart]
    assert store.changes(PAYMENTS, NOW, NOW + 9) == []


def test_minutes_and_hours_are_made_of_what_is_finer(store: HistoryStore) -> None:
    start = NOW // 3600 * 3600
    samples = [Sample(start + second, {"a": float(second % 60), "rare": 1.0}) for second in range(0, 7200, 10)]
    store.write([sampled(*samples)])
    store.roll_up(ORDERS, start + 5400)
    store.roll_up(ORDERS, start + 7300)
    minutes = store.series(ORDERS, "a", Tier.FINE, start, start + 7200)
    assert [point.at for point in minutes] == [start + 60 * number for number in range(120)]
    assert {(point.mean, point.low, point.high) for point in minutes} == {(25.0, 0.0, 50.0)}
    hours = store.series(ORDERS, "a", Tier.COARSE, start, start + 7200)
    assert hours == [Point(start, 25.0, 0.0, 50.0), Point(start + 3600, 25.0, 0.0, 50.0)]


def test_a_minute_that_still_goes_on_is_not_summed_up(store: HistoryStore) -> None:
    minute = NOW // 60 * 60
    store.write([sampled(Sample(minute + 1, {"a": 1.0}))])
    store.roll_up(ORDERS, minute + 30)
    assert store.series(ORDERS, "a", Tier.FINE, minute, minute + 60) == []
    store.write([sampled(Sample(minute + 59, {"a": 3.0}))])
    store.roll_up(ORDERS, minute + 70)
    assert store.series(ORDERS, "a", Tier.FINE, minute, minute + 60) == [Point(minute, 2.0, 1.0, 3.0)]


def test_statement_work_adds_up(store: HistoryStore) -> None:
    start = NOW // 300 * 300
    pieces = [Work(start + 10 * n, 10.0, {SELECT.key: counters(1)}) for n in range(1, 30)]
    store.write([Batch(ORDERS, work=tuple(pieces), statements=(SELECT,))])
    store.roll_up(ORDERS, start + 400)
    (total,) = store.work(ORDERS, Tier.FINE, start, start + 300)
    assert (total.at, total.seconds) == (start + 290, 290.0)
    assert total.done == {SELECT.key: tuple(29 * value for value in counters(1))}


def test_what_is_too_old_goes_and_the_rest_stays(store: HistoryStore) -> None:
    long_ago = NOW - DEFAULT.samples[Tier.RAW] - 10
    old = SeenStatement("shop", "d0", "SELECT ?", 0.0, NOW - DEFAULT.statements - 1)
    store.write(
        [
            Batch(
                ORDERS,
                samples=(Sample(long_ago, {"a": 1.0}), Sample(NOW, {"a": 2.0})),
                statements=(SELECT, old),
                changes=(Change(NOW - DEFAULT.changes - 1, "restart", {}), Change(NOW, "restart", {})),
            ),
            sampled(Sample(long_ago, {"a": 1.0}), instance=PAYMENTS),
        ]
    )
    store.roll_up(ORDERS, NOW)
    store.purge(ORDERS, NOW)
    assert [point.at for point in store.series(ORDERS, "a", Tier.RAW, 0, NOW + 1)] == [NOW]
    assert [point.mean for point in store.series(ORDERS, "a", Tier.FINE, 0, NOW)] == [1.0]
    assert set(store.statements(ORDERS)) == {SELECT.key}
    assert [change.at for change in store.changes(ORDERS, 0, NOW + 1)] == [NOW]
    assert store.span(PAYMENTS) == (long_ago, long_ago)


def test_what_a_wrong_clock_dated_is_forgotten(store: HistoryStore) -> None:
    store.write([Batch(ORDERS, samples=(Sample(NOW, {"a": 1.0}), Sample(NOW + 3600, {"a": 2.0})))])
    store.roll_up(ORDERS, NOW + 9000)
    store.write([Batch(ORDERS, samples=(Sample(NOW + 1, {"a": 3.0}),), forget_after=NOW + 1)])
    assert [point.mean for point in store.series(ORDERS, "a", Tier.RAW, 0, NOW + 9999)] == [1.0, 3.0]
    assert [point.at <= NOW for point in store.series(ORDERS, "a", Tier.FINE, 0, NOW + 9999)] == [True]


def test_a_full_disk_fails_what_is_written_and_reading_goes_on(kind: Kind, store: HistoryStore) -> None:
    store.write([sampled(Sample(NOW, {"a": 1.0}))])
    if kind.name == "sqlite":
        store._db.execute("PRAGMA max_page_count = 60")  # type: ignore[attr-defined] # a small disk for a store
    with pytest.raises(StorexError) as caught:
        _write_megabytes(store, 100)
    assert caught.value.reason is Reason.STORE_FULL, caught.value.detail
    assert "Free disk space" in caught.value.public_message
    assert [point.mean for point in store.series(ORDERS, "a", Tier.RAW, 0, NOW + 1)] == [1.0]


def _write_megabytes(store: HistoryStore, count: int) -> None:
    for number in range(count):
        store.write([Batch(ORDERS, states={f"state-{number}": State(NOW, bytes(1 << 20))})])
