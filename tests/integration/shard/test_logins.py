"""Refused logins on real servers: wrong password, no such account, a database that is not allowed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pymysql
import pytest

from libs.lab.accounts import create_account
from libs.lab.engines import RunningEngine
from services.shard.collectors.failed_logins import get_failed_logins
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import access_pb2
from tests.integration.shard.conftest import PASSWORD
from tests.integration.shard.finding import found, kinds, parts

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@contextlib.contextmanager
def refused(engine: RunningEngine, user: str, password: str, database: str | None = None) -> Iterator[None]:
    """A client that keeps trying."""
    stopping = threading.Event()

    def attempt() -> None:
        while not stopping.wait(0.15):
            with contextlib.suppress(pymysql.err.OperationalError):
                engine.connect(user=user, password=password, database=database).close()

    client = threading.Thread(target=attempt)
    client.start()
    try:
        yield
    finally:
        stopping.set()
        client.join()


@pytest.fixture
def billing(engine: RunningEngine) -> None:
    """An account of an application."""
    engine.execute("DROP USER IF EXISTS billing")
    with engine.connect() as administrator:
        create_account(administrator, "billing", PASSWORD, ["SELECT ON shop.*"])


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [
        ("billing", "outdated", None),
        pytest.param("nobody_knows_me", PASSWORD, None, marks=pytest.mark.slow),
        pytest.param("billing", PASSWORD, "mysql", marks=pytest.mark.slow),
    ],
)
async def test_who_is_refused_again_and_again_is_named_where_the_engine_keeps_it(
    user: str, password: str, database: str | None, engine: RunningEngine, view: InstanceView, billing: None
) -> None:
    await asyncio.sleep(1.5)
    with refused(engine, user, password, database):
        finding = await found(view, "access.auth_failed")
        await asyncio.sleep(3)  # for which the engine's list of accounts may be kept
        finding = await found(view, "access.auth_failed")
        answer = await get_failed_logins(view, access_pb2.GetFailedLoginsRequest())
    assert answer.failed >= 4
    codes = [limit.code for limit in answer.observation.limits]
    if engine.kind == "MySQL":
        assert user in parts(finding)["cause", "user"]
        assert parts(finding)["cause", "host"] == ["127.0.0.1"]
        assert codes == []
    else:
        assert parts(finding) == {}
        assert codes == ["FAILED_LOGINS_UNNAMED"]


@pytest.mark.slow
async def test_the_host_is_named_where_the_engine_counts_by_host(
    engine: RunningEngine, view: InstanceView, billing: None
) -> None:
    counts_when_told = engine.execute("SHOW GLOBAL VARIABLES LIKE 'userstat'") != []
    if counts_when_told:
        engine.execute("SET GLOBAL userstat = ON")
    try:
        await asyncio.sleep(1.5)
        with refused(engine, "billing", "outdated"):
            finding = await found(view, "access.auth_failed")
            await asyncio.sleep(2.1)
            finding = await found(view, "access.auth_failed")
        assert parts(finding)["cause", "host"] == ["127.0.0.1"]
    finally:
        if counts_when_told:
            engine.execute("SET GLOBAL userstat = OFF")


async def test_a_few_mistyped_passwords_and_a_client_that_hangs_up_are_nothing(
    engine: RunningEngine, view: InstanceView, billing: None
) -> None:
    await asyncio.sleep(1.5)
    for _ in range(3):
        with contextlib.suppress(pymysql.err.OperationalError):
            engine.connect(user="billing", password="typo").close()
    for _ in range(20):  # a load balancer that only looks whether somebody listens
        _, writer = await asyncio.open_connection(engine.host, engine.port)
        writer.close()
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.2)
    assert "access.auth_failed" not in kinds(await assess(view, {}))
