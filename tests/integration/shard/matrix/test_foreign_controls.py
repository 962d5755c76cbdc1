"""Harmless things that the lab does not hold, in a schema of their own: no detector says anything."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary
from tests.integration.shard.matrix.foreign.calm import CALM
from tests.integration.shard.matrix.foreign.clinic import build
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.test_controls import listen
from tests.integration.shard.matrix.test_incidents import BEFORE

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

QUIET_SECONDS = 30.0


@pytest.mark.parametrize("name", CALM)
async def test_nothing_is_said_of_what_is_only_loud(name: str, binary: EngineBinary, tmp_path: Path) -> None:
    title, make = CALM[name]
    with set_up(tmp_path, binary, "users-1") as stage, ExitStack() as undo:
        clinic = await asyncio.to_thread(build, stage.instance.target.administrator, undo)
        async with stage.shard() as before:
            await asyncio.sleep(BEFORE)
            await asyncio.to_thread(make, clinic)
            async with stage.shard() as after:
                watched, fresh = await asyncio.gather(listen(before, QUIET_SECONDS), listen(after, QUIET_SECONDS))
    record("control", name, title, binary, watched=watched, fresh=fresh)
    assert watched.strays + fresh.strays == []
