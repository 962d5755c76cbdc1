"""The live answer that is computed while a world is recorded equals its replay: every RPC, by the contracts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from google.protobuf.message import Message

from libs.config import load_config
from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from libs.core.resources import Resource
from libs.lab.engines import RunningEngine
from libs.rpc.call import CallContext, enter_call
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from services.shard.fleet import describe
from services.shard.history.servicer import HistoryServicer
from services.shard.instances import Instances
from services.shard.mysql.statements import Statement
from services.shard.servicer import DiagnosticsServicer, FleetServicer
from services.shard.stores.archive import Archive
from services.shard.stores.sqlite import open_sqlite
from services.shard.worlds.capture import RecordingSource, moment_of
from services.shard.worlds.encoding import decode, encode
from services.shard.worlds.replay import Missed, Replay, Room, Stage, enter_replay
from services.shard.worlds.samples import copied
from services.shard.worlds.world import RecordedInstance, World
from tests.integration.shard.conftest import REGION, write_inventory

pytestmark = pytest.mark.engine

NAME = f"regions/{REGION}/instances/db-1"
SNAPSHOT = f"{NAME}/snapshots/20261122-120000-00000000"
WRITING = {"events.write"}
"""Permissions whose methods change something, and so ask nothing of a world."""
READING = [
    method
    for method in METHODS
    if method.scope == SCOPE_REGION and not method.of_snapshots and not (method.permission in WRITING or method.lasting)
]
"""Every method that a world answers: one that is declared tomorrow is among them, whatever service it is of. What lasts
is refused before it gets here, for a world ends with its moment."""
OF_THE_FLEET = "storex.fleet.v1.FleetService"
"""Answers from what the shard knows of its instances, and asks none of them."""
ASKED = {"metric": "queries_per_second", "page_size": 1000}
REFUSED = {
    "/storex.diagnostics.v1.DiagnosticsService/ExplainStatement": "REQUEST_INVALID",
}
"""What has no answer to a general request, and the reason that it gives; everything else must say something."""


class Recording(Replay):
    """Live instances under the clock of a moment, whose readings are kept: what a world is made of."""

    def __init__(self, instances: Instances, archive: Archive) -> None:
        self.missed = Missed()
        [instance] = instances.all()
        self._description = describe(instances.region, instance).SerializeToString()
        view = instance.view
        self.source = RecordingSource(view.source)
        self.moment = moment_of(SystemClock())
        self.history, self.texts = copied(view.history), view.texts.copy()
        self._view = replace(
            view,
            source=self.source,
            history=copied(view.history),
            texts=self.texts.copy(),
            clock=self.moment,
            archive=archive,
            snapshot=SNAPSHOT,
        )

    @property
    def names(self) -> list[Any]:
        return [parse_name(NAME)]

    def get(self, _name: Any) -> Stage:
        return Stage(self.recorded(), self._view)

    def recorded(self, **what: Any) -> RecordedInstance:
        return RecordedInstance(
            name=NAME,
            labels={"service": "shop"},
            description=self._description,
            capabilities=self.source.capabilities,
            looks=[self.source.look(self.moment)],
            moment=self.moment,
            history=self.history,
            texts=self.texts,
            **what,
        )

    async def world(self, archive: Archive) -> World:
        await self.source.read(*Statement)
        excerpt = await archive.ask(lambda store: store.excerpt(NAME, 1 << 24))
        return World([self.recorded(excerpt=excerpt)], 0.0)


def request_of(method: MethodInfo) -> Message:
    request = method.request_type()
    for field, value in {"name": NAME, **ASKED}.items():
        if field in method.request_type.DESCRIPTOR.fields_by_name:
            setattr(request, field, value)
    return request


async def answers(servicers: dict[str, Any], method: MethodInfo, replay: Replay | None) -> list[bytes]:
    """What a handler answers from a replay or live, in bytes; an error by its reason and what it says."""
    call = CallContext("req_00000000", method.full_method, method)
    call.resources = (Resource(REGION, "gdpr", "", "", "shop", "db-1"),)
    handler = getattr(servicers[method.service], method.full_method.rpartition("/")[2])

    async def ask() -> list[bytes]:
        enter_call(call)
        if replay is not None:
            enter_replay(replay)
        try:
            if not method.server_streaming:
                return [(await handler(request_of(method), None)).SerializeToString(deterministic=True)]
            return [
                message.SerializeToString(deterministic=True) async for message in handler(request_of(method), None)
            ]
        except StorexError as error:
            return [error.reason.name.encode(), error.public_message.encode()]

    return await asyncio.create_task(ask())


@pytest.fixture
def waiting(engine: RunningEngine) -> Iterator[None]:
    """A session that holds a row and rests, and one that waits for it."""
    with engine.connect() as holder, engine.connect() as waiter:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE shop.carts SET total = total + 1 WHERE id = 2")

        def wait() -> None:
            with waiter.cursor() as cursor:
                cursor.execute("UPDATE shop.carts SET total = 9 WHERE id = 2")

        thread = threading.Thread(target=wait)
        thread.start()
        yield
        holder.rollback()
        thread.join()
        waiter.rollback()


Recorded: TypeAlias = tuple[Instances, Archive, dict[str, Any]]


@pytest.fixture
async def recorded(engine: RunningEngine, waiting: None, tmp_path: Path) -> AsyncIterator[Recorded]:
    """An instance that was sampled for a while and is sampled no more, and handlers that serve it."""
    archive = Archive(lambda: open_sqlite(tmp_path / "history.sqlite"), SystemClock())
    archive.start()
    region = load_config(write_inventory(tmp_path, engine)).regions[REGION]
    instances = Instances(SystemClock(), archive)
    await instances.take_in(region)
    [instance] = instances.all()
    for number in range(40):
        engine.execute(f"SELECT COUNT(*) FROM shop.carts WHERE note = 'n{number}'")
        await asyncio.sleep(0.1)
    instance.stop_sampling()
    await asyncio.sleep(0.5)
    yield (
        instances,
        archive,
        {
            "storex.diagnostics.v1.DiagnosticsService": DiagnosticsServicer(instances),
            "storex.history.v1.HistoryService": HistoryServicer(instances),
            OF_THE_FLEET: FleetServicer(instances),
        },
    )
    await instances.close()
    await archive.close()


async def test_every_answer_of_a_replay_is_the_live_one_to_the_last_byte(
    recorded: Recorded,
) -> None:
    instances, archive, servicers = recorded
    differing: list[str] = []
    refused: dict[str, str] = {}
    said = 0
    with ThreadPoolExecutor(1) as threads:
        for method in READING:
            recording = Recording(instances, archive)
            live = await answers(servicers, method, None if method.service == OF_THE_FLEET else recording)
            world = decode(encode(await recording.world(archive)))
            replay = Replay(Room(parse_name(SNAPSHOT, snapshots=True), world, 0, threads))
            if await answers(servicers, method, replay) != live or replay.missed.sources:
                differing.append(method.full_method)
            if live[0].decode("latin-1") in Reason.__members__:
                refused[method.full_method] = live[0].decode()
            said += sum(map(len, live))
    assert not differing
    assert refused == REFUSED, "an error is always the same: ask each method for something that it can answer"
    assert said > 20_000, "answers that say nothing are always the same"


async def test_a_wait_is_found_in_a_world_and_found_again_the_same(
    recorded: Recorded,
) -> None:
    instances, archive, servicers = recorded
    recording = Recording(instances, archive)
    await recording.source.read(*Statement)
    world = decode(encode(await recording.world(archive)))
    [method] = [one for one in READING if one.full_method.endswith("/GetHealth")]
    with ThreadPoolExecutor(1) as threads:
        room = Room(parse_name(SNAPSHOT, snapshots=True), world, 0, threads)
        twice = [await answers(servicers, method, Replay(room)) for _ in range(2)]
    assert twice[0] == twice[1]
    assert b"lock.row_blocker" in twice[0][0]
