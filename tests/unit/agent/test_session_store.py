from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from services.agent.records import ERROR, Record
from services.agent.sessions.sqlite import _MIGRATIONS, RETENTION_SECONDS, SqliteSessionStore
from services.agent.sessions.store import OpenTurn, SessionHead
from storex.agent.v1 import agent_pb2, report_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import record
from tests.unit.judge.test_store import content_of

_NOW = 1_900_000_000.0
_HEAD = SessionHead("ses_1", "user:alice", NAME, _NOW)


def _asks(question: str) -> agent_pb2.AskRequest:
    return agent_pb2.AskRequest(question=question, target=NAME)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteSessionStore]:
    opened = SqliteSessionStore(tmp_path / "agent" / "sessions.db", _NOW)
    yield opened
    await opened.close()


async def test_what_is_kept_comes_back_after_a_restart(tmp_path: Path, store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    turn = await store.begin_turn("ses_1", _asks("why?"), _NOW)
    records = [
        record("get_lock_waits", answers.lock_waits()),
        Record("call_2", 0, "get_health", NAME, ERROR, reason="DATABASE_TIMEOUT", problem="Late.", recorded_at=_NOW),
    ]
    report = report_pb2.Report(answer="because", session_id="ses_1")
    await store.add_records("ses_1", records)
    await store.finish_turn("ses_1", turn, report)
    again = SqliteSessionStore(tmp_path / "agent" / "sessions.db", _NOW)
    try:
        assert await again.head("ses_1", "user:alice") == _HEAD
        assert await again.records("ses_1", "user:alice") == records
        (kept,) = await again.turns("ses_1", "user:alice")
        assert (kept.question, kept.report, kept.asked_at) == ("why?", report, _NOW)
    finally:
        await again.close()


async def test_a_question_that_was_cancelled_stays_without_a_report(store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    assert [await store.begin_turn("ses_1", _asks(text), _NOW) for text in ("one", "two")] == [0, 1]
    assert [turn.report for turn in await store.turns("ses_1", "user:alice")] == [None, None]


async def test_sessions_are_their_owners(store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    await store.create(SessionHead("ses_2", "user:bob", NAME, _NOW))
    assert [head.session_id for head in await store.list_heads("user:alice")] == ["ses_1"]
    for read in (store.head, store.turns, store.records, store.snapshots):
        with pytest.raises(StorexError) as failure:
            await read("ses_2", "user:alice")
        assert failure.value.reason is Reason.SESSION_NOT_FOUND


async def test_a_deleted_session_leaves_nothing_in_the_file_and_the_others_stay(
    tmp_path: Path, store: SqliteSessionStore
) -> None:
    for number, table in enumerate(("shop.of_the_first", "shop.of_the_second"), start=1):
        session_id = f"ses_{number}"
        await store.create(SessionHead(session_id, "user:alice", NAME, _NOW))
        for name in ("b", "a", "b"):
            await store.begin_turn(session_id, _asks("why?"), _NOW, [f"{NAME}/snapshots/{name}"])
        await store.finish_turn(session_id, 0, report_pb2.Report(answer=table))
    assert await store.snapshots("ses_1", "user:alice") == [f"{NAME}/snapshots/a", f"{NAME}/snapshots/b"]
    await store.delete("ses_1")
    left = content_of(tmp_path / "agent")
    assert (b"of_the_first" in left, b"of_the_second" in left) == (False, True)
    assert [head.session_id for head in await store.list_heads("user:alice")] == ["ses_2"]


async def test_sessions_are_dropped_when_they_are_old(tmp_path: Path, store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    await store.finish_turn("ses_1", await store.begin_turn("ses_1", _asks("q"), _NOW), report_pb2.Report())
    later = SqliteSessionStore(tmp_path / "agent" / "sessions.db", _NOW + RETENTION_SECONDS + 1)
    try:
        assert await later.list_heads("user:alice") == []
    finally:
        await later.close()


async def test_the_file_is_for_its_owner_only(tmp_path: Path, store: SqliteSessionStore) -> None:
    assert (tmp_path / "agent" / "sessions.db").stat().st_mode & 0o077 == 0


async def test_a_question_without_a_report_can_be_opened_again_by_its_owner(store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    assert await store.open_turn("ses_1", "user:alice") is None
    turn = await store.begin_turn("ses_1", _asks("why?"), _NOW)
    opened = await store.open_turn("ses_1", "user:alice")
    assert opened == OpenTurn(turn, _asks("why?"))
    with pytest.raises(StorexError) as failure:
        await store.open_turn("ses_1", "user:bob")
    assert failure.value.reason is Reason.SESSION_NOT_FOUND
    await store.finish_turn("ses_1", turn, report_pb2.Report())
    assert await store.open_turn("ses_1", "user:alice") is None


async def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(f"BEGIN; {_MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
        old.execute("INSERT INTO sessions VALUES ('ses_1', 'user:alice', 'regions/r', ?)", (_NOW,))
        old.execute("INSERT INTO turns VALUES ('ses_1', 0, 'why?', ?, NULL)", (_NOW,))
        old.commit()
    store = SqliteSessionStore(path, _NOW)
    try:
        assert [turn.question for turn in await store.turns("ses_1", "user:alice")] == ["why?"]
        assert await store.open_turn("ses_1", "user:alice") is None
    finally:
        await store.close()


async def test_a_full_disk_is_a_clear_error(store: SqliteSessionStore) -> None:
    await store.create(_HEAD)
    await store._run(lambda db: db.execute("PRAGMA max_page_count = 1"))
    big = [record("get_lock_waits", answers.lock_waits()) for _ in range(200)]
    with pytest.raises(StorexError) as failure:
        await store.add_records("ses_1", big)
    assert failure.value.reason is Reason.SESSIONS_UNAVAILABLE
