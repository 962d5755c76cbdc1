"""A world comes back from its bytes as what it was, from older formats too, and damage is told."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.core.errors import Reason, StorexError
from services.shard.mysql.features import Capabilities, Feature, Gap
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import ConnectionSample, DigestSample, History, StatusSample, TrackedConnection
from services.shard.stores.excerpt import Excerpt
from services.shard.work.statement_texts import StatementTexts
from services.shard.worlds import encoding
from services.shard.worlds.encoding import FORMAT, decode, encode
from services.shard.worlds.samples import copied, document_of, history_of
from services.shard.worlds.values import pack, unpack
from services.shard.worlds.world import Look, Moment, RecordedInstance, World

KEY_A, KEY_B, KEY_C = ("shop", "a"), ("shop", "b"), ("", "c")
MOMENT = Moment(1_700_000_000.123456, 5000.25)
ROW: dict[str, Any] = {
    "number": 2**70,
    "share": 0.1,
    "money": Decimal("12.3400"),
    "nothing": None,
    "bytes": b"\x00\xff",
    "day": date(2026, 11, 22),
    "at": datetime(2026, 11, 22, 23, 59, 59, 999999),
    "at_utc": datetime(2026, 11, 22, tzinfo=UTC),
    "for": timedelta(hours=-3, microseconds=7),
    "odd": "\ud800 {'$b': [0, 1]} ",
}


def history() -> History:
    found = History()
    found.add_status(StatusSample(1.0, {"Uptime": 5.0, "Queries": 0.1}))
    found.add_status(StatusSample(2.0, {"Uptime": 6.0, "Other": 1e300}))
    found.add_connections(ConnectionSample(1.0, {("app", "10.0.0.7", "shop"): 3}))
    counters = tuple(range(13))
    found.add_digests(DigestSample(1.0, {KEY_A: counters, KEY_B: counters}))
    found.add_digests(DigestSample(2.0, {KEY_A: counters, KEY_B: (9, *counters[1:]), KEY_C: counters}))
    found.add_digests(DigestSample(3.0, {KEY_C: counters, KEY_A: counters}))
    found.tracked[7] = TrackedConnection(("app", "10.0.0.7", "shop"), 1.0, None, reused=True)
    return found


def world() -> World:
    texts = StatementTexts()
    texts.of_engine("d1", "SELECT * FROM `carts` WHERE id = ?")
    look = Look(
        MOMENT,
        {Statement.SERVER: [ROW], Statement.PROCESSES: []},
        {Statement.PROGRAMS: Gap("performance_schema", "PERFORMANCE_SCHEMA_OFF", "Off.", "Set it.")},
    )
    excerpt = Excerpt([(1, "[]")], {"samples": [(0, 5, 1, b"\x01\x02")]}, {"samples": 4})
    instance = RecordedInstance(
        name="regions/eu/instances/orders-1",
        labels={"service": "orders"},
        description=b"\x0a\x00",
        capabilities=Capabilities("mariadb", "10.11.6", frozenset({Feature.PROCESS_PRIVILEGE})),
        looks=[look, look],
        moment=MOMENT,
        history=history(),
        texts=texts,
        excerpt=excerpt,
        failure=Reason.DATABASE_TIMEOUT,
        explain_allowed=True,
        archive_failure=Reason.STORE_FULL,
    )
    return World([instance], 0.7)


def rows(found: Excerpt | None) -> Any:
    assert found is not None
    return [list(map(list, found.layouts)), {name: list(map(list, table)) for name, table in found.tables.items()}]


def check_same(after: RecordedInstance, before: RecordedInstance) -> None:
    for field in dataclasses.fields(RecordedInstance):
        if field.name not in ("texts", "excerpt"):
            assert getattr(after, field.name) == getattr(before, field.name), field.name
    assert after.texts.known() == before.texts.known()
    assert rows(after.excerpt) == rows(before.excerpt)
    assert [type(value) for value in after.looks[0].rows[Statement.SERVER][0].values()] == list(map(type, ROW.values()))


def test_a_world_comes_back_as_it_was() -> None:
    check_same(decode(encode(world())).subject, world().subject)


def test_the_order_of_digests_comes_back_too() -> None:
    after = history_of(unpack(pack(document_of(history())), 1 << 20))
    assert [list(sample.counters) for sample in after.digests] == [list(one.counters) for one in history().digests]


def test_every_field_of_the_history_is_written_down() -> None:
    document = document_of(history())
    assert set(document) == {field.name for field in dataclasses.fields(History)}


def test_a_copy_of_a_history_does_not_go_on_with_it() -> None:
    original = history()
    copy = copied(original)
    original.add_status(StatusSample(9.0, {"Uptime": 9.0}))
    original.tracked[7].reused = False
    assert len(copy.status) == 2
    assert copy.tracked[7].reused
    assert all(isinstance(getattr(copy, name), deque) for name in ("status", "digests", "connections", "activity"))


def test_what_a_column_held_that_was_not_recorded_is_not_made_up() -> None:
    row = decode(encode(world())).subject.looks[0].rows[Statement.SERVER][0]
    with pytest.raises(StorexError) as caught:
        row["of_a_later_version"]
    assert caught.value.reason is Reason.NOT_CAPTURED


def test_a_feature_that_was_not_asked_for_is_not_told_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "Feature", [Feature.PROCESS_PRIVILEGE, Feature.STATEMENT_DIGESTS])
    content = encode(world())
    monkeypatch.undo()
    capabilities = decode(content).subject.capabilities
    assert capabilities is not None
    assert Feature.STATEMENT_DIGESTS not in capabilities.available
    assert Feature.METADATA_LOCKS in capabilities.available


def test_an_older_format_is_brought_up_to_date_and_a_newer_one_refused() -> None:
    def second(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "took": document["took"] * 1000, "format": 2}

    migrated = decode(encode(world()), (second,))
    assert (migrated.took_seconds, migrated.format_version) == (700.0, 1)
    document = unpack(encode(world()), 1 << 20)
    with pytest.raises(StorexError) as caught:
        decode(pack({**document, "format": 3}))
    assert caught.value.reason is Reason.SNAPSHOT_TOO_NEW
    assert "format 3" in caught.value.public_message
    for none in (0, -1, None, "1", 1.5):
        with pytest.raises(StorexError) as caught:
            decode(pack({**document, "format": none}))
        assert caught.value.reason is Reason.SNAPSHOT_DAMAGED


FEATURES_SINCE = {1: {Feature.INSTRUMENTATION}}
"""By format, features that came after its file was written: nobody asked for them, so none is told to be missing."""


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_a_world_of_every_format_there_was_is_read(number: int) -> None:
    """The files are made-up worlds as that format's code wrote them, and are never written anew."""
    found = decode((Path(__file__).parent / f"format-{number}.world").read_bytes())
    assert (found.format_version, found.took_seconds) == (number, 0.7)
    capabilities = found.subject.capabilities
    assert capabilities is not None
    assert capabilities.available == {Feature.PROCESS_PRIVILEGE, *FEATURES_SINCE[number]}
    then = dataclasses.replace(capabilities, available=frozenset({Feature.PROCESS_PRIVILEGE}))
    check_same(dataclasses.replace(found.subject, capabilities=then), world().subject)


_REFUSALS = (Reason.SNAPSHOT_DAMAGED, Reason.SNAPSHOT_TOO_NEW)


class _DamagedError(Exception):
    pass


@given(place=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_damage_is_told_and_never_a_crash(place: int, value: int) -> None:
    content = bytearray(_CONTENT)
    content[place % len(content)] = value
    with contextlib.suppress(_DamagedError):
        try:
            decode(bytes(content))
        except StorexError as error:
            raise (_DamagedError if error.reason in _REFUSALS else AssertionError) from error


def test_a_document_is_not_inflated_beyond_its_bound() -> None:
    with pytest.raises(ValueError, match="longer"):
        unpack(pack({"zeros": "0" * 10_000_000}), 1_000_000)


_CONTENT = encode(world())
