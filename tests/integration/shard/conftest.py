"""Real servers with Storex's account on them, and instances of a shard that look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from libs.config import InstanceConfig, load_config
from libs.core.clock import SystemClock
from libs.lab.accounts import STOREX_USER, create_account, grants
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from services.shard.instances import Instance
from services.shard.view import InstanceView

PASSWORD = "a pass word"
REGION = "eu-west-1"

StartInstance = Callable[..., Awaitable[Instance]]


def prepare(engine: RunningEngine) -> RunningEngine:
    """Give the server Storex's account, one that may do nothing, and a table to meet on."""
    with engine.connect() as administrator:
        create_account(administrator, STOREX_USER, PASSWORD, grants(engine.kind))
        create_account(administrator, "nobody", PASSWORD, ())
    for statement in (
        "CREATE DATABASE shop",
        "CREATE TABLE shop.carts (id INT PRIMARY KEY, note VARCHAR(40), total INT, KEY by_note (note))",
        "INSERT INTO shop.carts VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', 4)",
    ):
        engine.execute(statement)
    return engine


@pytest.fixture(scope="package", params=require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One server of each kind that this machine has."""
    binary: EngineBinary = request.param
    with binary.start(tmp_path_factory.mktemp("engine")) as running:
        yield prepare(running)


@pytest.fixture(scope="package")
def unobserved_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """A server whose performance_schema is off, as MariaDB's is unless one asks for it."""
    binary = require_engines()[0]
    with binary.start(tmp_path_factory.mktemp("unobserved"), performance_schema=False) as running:
        yield prepare(running)


def write_inventory(folder: Path, *engines: RunningEngine, user: str = STOREX_USER, password: str = PASSWORD) -> Path:
    """A `storex.yaml` with an instance `db-1`, `db-2`, … for each server, and the password in a file beside it."""
    (folder / "password").write_text(password)
    instances = {
        f"db-{number}": {
            "host": engine.host,
            "port": engine.port,
            "user": user,
            "password_file": "password",
            "team": "shop" if number == 1 else "payments",
            "labels": {"service": "shop"},
        }
        for number, engine in enumerate(engines, 1)
    }
    path = folder / "storex.yaml"
    path.write_text(yaml.safe_dump({"regions": {REGION: {"domain": "gdpr", "instances": instances}}}))
    return path


def instance_config(
    folder: Path, engine: RunningEngine, *, user: str = STOREX_USER, password: str = PASSWORD
) -> InstanceConfig:
    """The inventory's entry for a server."""
    return load_config(write_inventory(folder, engine, user=user, password=password)).regions[REGION].instances["db-1"]


@pytest.fixture
async def start_instance(tmp_path: Path) -> AsyncIterator[StartInstance]:
    """Makes instances of a shard that end with the test."""
    async with AsyncExitStack() as stack:

        async def start(engine: RunningEngine, *, user: str = STOREX_USER, password: str = PASSWORD) -> Instance:
            instance = Instance(instance_config(tmp_path, engine, user=user, password=password), SystemClock())
            stack.push_async_callback(instance.close)
            return instance

        yield start


@pytest.fixture
async def view(engine: RunningEngine, start_instance: StartInstance) -> InstanceView:
    """What collectors see of each kind of server."""
    return (await start_instance(engine)).view
