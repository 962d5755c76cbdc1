"""Replicas of real servers: stopped threads, errors on either side, lag, and what only looks like one of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.lab.accounts import Login
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from libs.lab.replication import REPLICA_OPTIONS, catch_up, follow, locally
from services.shard.collectors.replication import get_replication
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import finding_pb2, replication_pb2
from tests.integration.shard.conftest import StartInstance, prepare
from tests.integration.shard.finding import cited, found, kinds, parts

pytestmark = [pytest.mark.engine, pytest.mark.slow]

STOCK = "warehouse.stock"


@dataclass(frozen=True, slots=True)
class Pair:
    """A server and its replica."""

    source: RunningEngine
    replica: RunningEngine

    @property
    def at_source(self) -> Login:
        """An administrator's login there."""
        return Login(self.source.host, self.source.port, self.source.user, self.source.password)

    @property
    def at_replica(self) -> Login:
        """The same on the replica."""
        return Login(self.replica.host, self.replica.port, self.replica.user, self.replica.password)

    async def catch_up(self) -> None:
        """Wait until the replica has what its source has."""
        await asyncio.to_thread(catch_up, self.at_source, self.at_replica)


def _engines() -> list[object]:
    """Each kind of engine; all but the first only in the long run: two servers take their time to start."""
    first, *rest = require_engines()
    return [first, *(pytest.param(binary, marks=pytest.mark.slow) for binary in rest)]


@pytest.fixture(scope="module", params=_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def running_pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A source with a table, and its replica."""
    binary: EngineBinary = request.param
    directory = tmp_path_factory.mktemp("pair")
    with contextlib.ExitStack() as undo:
        source = undo.enter_context(binary.start(directory / "source"))
        replica = undo.enter_context(binary.start(directory / "replica", options=REPLICA_OPTIONS[binary.kind]))
        pair = Pair(source, replica)
        prepare(replica)
        follow(pair.at_source, pair.at_replica)
        source.execute("CREATE DATABASE warehouse")
        source.execute(f"CREATE TABLE {STOCK} (sku INT PRIMARY KEY, pieces INT)")
        source.execute(f"INSERT INTO {STOCK} VALUES (1, 10), (2, 20)")
        catch_up(pair.at_source, pair.at_replica)
        yield pair


@pytest.fixture
async def pair(running_pair: Pair) -> AsyncIterator[Pair]:
    """The pair, which works again after the test."""
    yield running_pair
    with contextlib.suppress(Exception):
        running_pair.replica.execute("START REPLICA")
    await running_pair.catch_up()


@pytest.fixture
async def replica(pair: Pair, start_instance: StartInstance) -> InstanceView:
    """What a shard sees of the replica."""
    return (await start_instance(pair.replica)).view


async def channel_of(view: InstanceView) -> replication_pb2.ReplicationChannel:
    answer = await get_replication(view, replication_pb2.GetReplicationRequest())
    [channel] = answer.channels
    return channel


@pytest.mark.parametrize(
    ("command", "stopped"),
    [
        ("STOP REPLICA SQL_THREAD", "applier"),
        pytest.param("STOP REPLICA IO_THREAD", "receiver", marks=pytest.mark.slow),
        pytest.param("STOP REPLICA", "receiver and applier", marks=pytest.mark.slow),
    ],
)
async def test_a_stopped_thread_is_named(command: str, stopped: str, pair: Pair, replica: InstanceView) -> None:
    healthy = await assess(replica, {})
    assert [kind for kind in kinds(healthy) if kind.startswith("replication.")] == []
    pair.replica.execute(command)
    finding = await found(replica, "replication.stopped")
    assert parts(finding) == {("affected", "channel"): ["default"]}
    assert cited(finding, "stopped_thread") == stopped
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL
    channel = await channel_of(replica)
    assert not channel.runs
    assert not channel.HasField("lag_seconds"), "a lag that the server does not know is not 0"


@pytest.mark.slow
async def test_a_primary_with_what_it_once_followed_is_a_warning(pair: Pair, replica: InstanceView) -> None:
    pair.replica.execute("STOP REPLICA")
    pair.replica.execute("SET GLOBAL read_only = OFF")
    try:
        finding = await found(replica, "replication.stopped")
        assert finding.severity == finding_pb2.SEVERITY_WARNING
    finally:
        pair.replica.execute("SET GLOBAL read_only = ON")


@pytest.mark.parametrize(
    ("on_replica", "on_source", "repair", "code"),
    [
        (
            f"INSERT INTO {STOCK} VALUES (3, 1)",
            f"INSERT INTO {STOCK} VALUES (3, 2)",
            "DELETE FROM {} WHERE sku = 3",
            1062,
        ),
        pytest.param(
            f"DELETE FROM {STOCK} WHERE sku = 2",
            f"UPDATE {STOCK} SET pieces = pieces + 1 WHERE sku = 2",
            "INSERT INTO {} SELECT 2, 20",
            1032,
            marks=pytest.mark.slow,
        ),
    ],
)
async def test_an_applier_that_meets_other_data_names_its_error(
    on_replica: str, on_source: str, repair: str, code: int, pair: Pair, replica: InstanceView
) -> None:
    locally(pair.at_replica, on_replica)
    pair.source.execute(on_source)
    try:
        finding = await found(replica, "replication.error")
        assert parts(finding) == {("affected", "channel"): ["default"], ("cause", "error_code"): [str(code)]}
        assert "applier" in finding.summary
        assert "replication.stopped" not in kinds(await assess(replica, {}))
    finally:
        with contextlib.suppress(Exception):
            locally(pair.at_replica, repair.format(STOCK))
        pair.source.execute(f"DELETE FROM {STOCK} WHERE sku = 3")


@pytest.mark.slow
async def test_a_receiver_whose_password_was_changed_names_its_error(pair: Pair, replica: InstanceView) -> None:
    change = {
        "MariaDB": "CHANGE MASTER TO MASTER_PASSWORD = %s",
        "MySQL": "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = %s",
    }
    pair.source.execute("ALTER USER replication@'%%' IDENTIFIED BY %s", ("rotated",))
    pair.replica.execute("STOP REPLICA IO_THREAD")
    pair.replica.execute("START REPLICA IO_THREAD")
    try:
        finding = await found(replica, "replication.error")
        assert parts(finding)["cause", "error_code"] == ["1045"]
        assert "receiver" in finding.summary
        channel = await channel_of(replica)
        assert channel.receiver != replication_pb2.REPLICATION_THREAD_STATE_RUNNING
        assert not channel.HasField("lag_seconds")
    finally:
        pair.replica.execute("STOP REPLICA")
        pair.replica.execute(change[pair.replica.kind], ("rotated",))


@pytest.mark.slow
async def test_a_replica_that_is_meant_to_be_behind_is_no_finding(pair: Pair, replica: InstanceView) -> None:
    change = {
        "MariaDB": "CHANGE MASTER TO MASTER_DELAY = {}",
        "MySQL": "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {}",
    }
    set_delay = change[pair.replica.kind]
    pair.replica.execute("STOP REPLICA")
    pair.replica.execute(set_delay.format(600))
    pair.replica.execute("START REPLICA")
    try:
        for _ in range(13):
            pair.source.execute(f"UPDATE {STOCK} SET pieces = pieces + 1 WHERE sku = 1")
            await asyncio.sleep(1)
        channel = await channel_of(replica)
        assert (channel.delay_seconds, channel.lag_seconds > 10) == (600, True)
        assert kinds(await assess(replica, {})) == []
    finally:
        pair.replica.execute("STOP REPLICA")
        pair.replica.execute(set_delay.format(0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "statements"),
    [
        ("lock.metadata", (f"LOCK TABLES {STOCK} WRITE",)),
        ("lock.row_blocker", ("BEGIN", f"SELECT * FROM {STOCK} WHERE sku = 1 FOR UPDATE")),
    ],
)
async def test_an_applier_behind_a_lock_is_explained_by_the_lock(
    kind: str, statements: tuple[str, ...], pair: Pair, replica: InstanceView
) -> None:
    with pair.replica.connect() as blocker, blocker.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        for _ in range(13):
            pair.source.execute(f"UPDATE {STOCK} SET pieces = pieces + 1 WHERE sku = 1")
            await asyncio.sleep(1)
        lag = await found(replica, "replication.lag")
        health = await assess(replica, {})
        [lag] = [one for one in health.findings if one.kind == "replication.lag"]
        [lock] = [one for one in health.findings if one.kind == kind]
        assert list(lock.explains) == [lag.id]
        assert parts(lag)["victim", "connection_id"] == parts(lock)["victim", "connection_id"]


@pytest.mark.slow
async def test_every_channel_of_a_replica_is_told_by_its_name(
    pair: Pair, replica: InstanceView, tmp_path: Path
) -> None:
    with pair.replica.binary.start(tmp_path / "other") as other:
        login = Login(other.host, other.port, other.user, other.password)
        login.execute("CREATE USER replication@'%' IDENTIFIED BY 'other'")
        login.execute("GRANT REPLICATION SLAVE ON *.* TO replication@'%'")
        place = (other.host, other.port, "replication", "other")
        if pair.replica.kind == "MariaDB":
            follow_it = "CHANGE MASTER 'west' TO MASTER_HOST=%s, MASTER_PORT=%s, MASTER_USER=%s, MASTER_PASSWORD=%s"
            follow_it += ", MASTER_USE_GTID=no"
            start, stop = "START REPLICA 'west'", "STOP REPLICA 'west' SQL_THREAD"
            forget = ("STOP REPLICA 'west'", "RESET REPLICA 'west' ALL")
        else:
            follow_it = (
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST=%s, SOURCE_PORT=%s, SOURCE_USER=%s, SOURCE_PASSWORD=%s,"
                " GET_SOURCE_PUBLIC_KEY=1 FOR CHANNEL 'west'"
            )
            start, stop = "START REPLICA FOR CHANNEL 'west'", "STOP REPLICA SQL_THREAD FOR CHANNEL 'west'"
            forget = ("STOP REPLICA FOR CHANNEL 'west'", "RESET REPLICA ALL FOR CHANNEL 'west'")
        pair.replica.execute(follow_it, place)
        try:
            pair.replica.execute(start)
            pair.replica.execute(stop)
            finding = await found(replica, "replication.stopped")
            assert parts(finding) == {("affected", "channel"): ["west"]}
            answer = await get_replication(replica, replication_pb2.GetReplicationRequest())
            assert {channel.channel: channel.runs for channel in answer.channels} == {"default": True, "west": False}
        finally:
            for command in forget:
                pair.replica.execute(command)


@pytest.mark.slow
async def test_a_source_that_is_gone_is_the_receivers_error(pair: Pair, replica: InstanceView) -> None:
    """The last of this module on each engine: the source comes back at the end."""
    pair.source.stop()
    try:
        finding = await found(replica, "replication.error", seconds=40)
        assert "receiver" in finding.summary
        assert parts(finding)["cause", "error_code"][0] in ("2003", "2013")
    finally:
        pair.source.restart()
