"""Servers that hide something: what is there and cannot be seen is never told to be clear, but what mends the sight."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import pymysql
import pytest

from libs.lab.accounts import STOREX_USER, create_account, grants
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import finding_pb2
from tests.integration.shard.at_work import at_work
from tests.integration.shard.conftest import PASSWORD, StartInstance, prepare
from tests.integration.shard.finding import health_when
from tests.integration.shard.prepared import Prepared

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(180)]

Fault = Callable[[RunningEngine], AbstractContextManager[None]]


@contextmanager
def clients(engine: RunningEngine, *statements: str, number: int = 1, pause: float = 0.02) -> Iterator[None]:
    """Sessions that send the same again and again, whatever comes of it."""

    def work(stopping: threading.Event) -> None:
        with (
            engine.connect(
                user="shopper",
                password=PASSWORD,
                database="shop",
                init_command="SET SESSION innodb_lock_wait_timeout = 3, SESSION lock_wait_timeout = 3",
            ) as client,
            client.cursor() as cursor,
        ):
            while not stopping.wait(pause):
                for statement in statements:
                    try:
                        cursor.execute(statement)
                    except pymysql.Error:
                        client.rollback()

    with at_work(work, number):
        yield


@contextmanager
def holding(engine: RunningEngine, held: str, wanted: str) -> Iterator[None]:
    """A transaction that is left open, and sessions that wait for what it holds."""
    with engine.connect(database="shop", autocommit=False) as holder, holder.cursor() as cursor:
        cursor.execute(held)
        with ExitStack() as undo:
            undo.enter_context(clients(engine, wanted, number=3))
            undo.callback(holder.rollback)
            yield


def row_blocker(engine: RunningEngine) -> AbstractContextManager[None]:
    return holding(engine, "UPDATE carts SET total = 7 WHERE id = 1", "UPDATE carts SET total = 8 WHERE id = 1")


def metadata(engine: RunningEngine) -> AbstractContextManager[None]:
    return holding(engine, "SELECT * FROM carts", "ALTER TABLE carts COMMENT 'c'")


@contextmanager
def deadlocks(engine: RunningEngine) -> Iterator[None]:
    one, other = (
        ("BEGIN", *(f"UPDATE carts SET total = 1 WHERE id = {row}" for row in rows), "COMMIT")
        for rows in ((3, 4), (4, 3))
    )
    with clients(engine, *one, number=3, pause=0.001), clients(engine, *other, number=3, pause=0.001):
        yield


def scan(engine: RunningEngine) -> AbstractContextManager[None]:
    return clients(engine, "SELECT id FROM parcels WHERE label = 'none'", number=2)


MANY = "SELECT (SELECT id FROM parcels) AS number"
"""More rows than there may be."""


def prepared_scan(engine: RunningEngine) -> AbstractContextManager[None]:
    return prepared(engine, "SELECT id FROM parcels WHERE label = 'nowhere'")


@contextmanager
def scan_prepared_anew(engine: RunningEngine) -> Iterator[None]:
    """Sessions that prepare the same again for each time that they send it, and close it."""

    def work(stopping: threading.Event) -> None:
        with engine.connect(user="shopper", password=PASSWORD, database="shop") as client:
            while not stopping.wait(0.02):
                statement = Prepared(client, "SELECT id FROM parcels WHERE label = 'elsewhere'")
                statement.execute()
                statement.close()

    with at_work(work, 2):
        yield


def prepared_retries(engine: RunningEngine) -> AbstractContextManager[None]:
    return prepared(engine, MANY)


@contextmanager
def prepared(engine: RunningEngine, text: str) -> Iterator[None]:
    """Sessions that send the same again and again, prepared in binary."""

    def work(stopping: threading.Event) -> None:
        with engine.connect(user="shopper", password=PASSWORD, database="shop") as client:
            statement = Prepared(client, text)
            while not stopping.wait(0.02):
                with suppress(pymysql.Error):
                    statement.execute()

    with at_work(work, 2):
        yield


def retries(engine: RunningEngine) -> AbstractContextManager[None]:
    """A statement that fails each time and is sent again at once."""
    return clients(engine, MANY, number=2)


@contextmanager
def scan_in_a_procedure(engine: RunningEngine) -> Iterator[None]:
    """The same, in a procedure."""
    engine.execute(
        "CREATE PROCEDURE shop.look() SELECT COUNT(*) FROM shop.parcels a JOIN shop.carts b WHERE a.label = 'none'"
    )
    try:
        with clients(engine, "CALL look()", number=3, pause=0.001):
            yield
    finally:
        engine.execute("DROP PROCEDURE shop.look")


def refused_logins(engine: RunningEngine) -> AbstractContextManager[None]:
    def work(stopping: threading.Event) -> None:
        while not stopping.wait(0.3):
            with suppress(pymysql.Error):
                engine.connect(user="shopper", password="an old one").close()

    return at_work(work)


@contextmanager
def read_only(engine: RunningEngine) -> Iterator[None]:
    engine.execute("SET GLOBAL read_only = 1")
    try:
        with clients(engine, "INSERT INTO carts VALUES (99, 'x', 1)", number=2):
            yield
    finally:
        engine.execute("SET GLOBAL read_only = 0")


@contextmanager
def hung_up(engine: RunningEngine) -> Iterator[None]:
    """Idle clients are hung up on within a second, since before Storex came."""

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            client = engine.connect(user="shopper", password=PASSWORD)
            stopping.wait(1.5)
            client.close()

    engine.execute("SET GLOBAL wait_timeout = 1")
    try:
        with at_work(work, 3):
            yield
    finally:
        engine.execute("SET GLOBAL wait_timeout = 28800")


@dataclass(frozen=True, slots=True)
class Blindness:
    """How a server is kept from showing what makes a cause known, and that cause."""

    kind: str
    fault: Fault
    off: str = ""
    """What is set in the performance schema."""
    without: str = ""
    """The privilege that Storex's account has not got."""
    options: tuple[str, ...] = ()
    """Of the server."""
    monitor: str = ""
    """A counter of InnoDB that is off."""
    observed: bool = True
    only: str = ""


_SELECTS = "setup_instruments SET enabled = 'NO' WHERE name = 'statement/sql/select'"
_THREADS = "setup_consumers SET enabled = 'NO' WHERE name = 'thread_instrumentation'"
_ACTORS = "setup_actors SET enabled = 'NO'"
_ERRORS = "setup_instruments SET enabled = 'NO' WHERE name = 'error'"
CASES = {
    "row_blocker.unobserved": Blindness("lock.row_blocker", row_blocker, observed=False),
    "row_blocker.no_schema": Blindness("lock.row_blocker", row_blocker, without="performance_schema"),
    "row_blocker.no_process": Blindness("lock.row_blocker", row_blocker, without="PROCESS"),
    "metadata.unobserved": Blindness("lock.metadata", metadata, observed=False),
    "metadata.no_schema": Blindness("lock.metadata", metadata, without="performance_schema"),
    "metadata.no_process": Blindness("lock.metadata", metadata, without="PROCESS"),
    "metadata.instrument": Blindness(
        "lock.metadata", metadata, off="setup_instruments SET enabled = 'NO' WHERE name = 'wait/lock/metadata/sql/mdl'"
    ),
    "deadlock.uncounted": Blindness("lock.deadlock", deadlocks, monitor="lock_deadlocks"),
    "deadlock.no_process": Blindness("lock.deadlock", deadlocks, without="PROCESS"),
    "scan.unobserved": Blindness("query.missing_index", scan, observed=False),
    "scan.no_schema": Blindness("query.missing_index", scan, without="performance_schema"),
    "scan.digests": Blindness(
        "query.missing_index", scan, off="setup_consumers SET enabled = 'NO' WHERE name = 'statements_digest'"
    ),
    "scan.threads": Blindness("query.missing_index", scan, off=_THREADS),
    "scan.instrument": Blindness("query.missing_index", scan, off=_SELECTS),
    "scan.actors": Blindness("query.missing_index", scan, off=_ACTORS),
    "scan.no_text": Blindness("query.missing_index", scan, options=("--max-digest-length=0",)),
    "scan.table_full": Blindness("query.missing_index", scan, options=("--performance-schema-digests-size=5",)),
    "scan.prepared": Blindness("query.missing_index", prepared_scan),
    "scan.prepared_anew": Blindness("query.missing_index", scan_prepared_anew),
    "scan.procedure": Blindness("query.missing_index", scan_in_a_procedure),
    "retries.unobserved": Blindness("traffic.retry_storm", retries, observed=False),
    "retries.instrument": Blindness("traffic.retry_storm", retries, off=_SELECTS),
    "retries.actors": Blindness("traffic.retry_storm", retries, off=_ACTORS),
    "retries.table_full": Blindness("traffic.retry_storm", retries, options=("--performance-schema-digests-size=5",)),
    "retries.prepared": Blindness("traffic.retry_storm", prepared_retries),
    "logins.unobserved": Blindness("access.auth_failed", refused_logins, observed=False),
    "logins.errors": Blindness("access.auth_failed", refused_logins, off=_ERRORS, only="MySQL"),
    "read_only.unobserved": Blindness("config.read_only", read_only, observed=False),
    "read_only.errors": Blindness("config.read_only", read_only, off=_ERRORS, only="MySQL"),
    "change.no_schema": Blindness("config.change", hung_up, without="performance_schema"),
    "change.unobserved": Blindness("config.change", hung_up, observed=False),
}


def less(engine: RunningEngine, missing: str) -> Iterator[str]:
    """The grants of Storex's account but for one privilege."""
    for grant in grants(engine.kind):
        privileges, _, scope = grant.partition(" ON ")
        kept = [one for one in privileges.split(", ") if one != missing and missing not in scope]
        if kept:
            yield f"{', '.join(kept)} ON {scope}"


Servers = Callable[[EngineBinary, Blindness], RunningEngine]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A server of each kind with each set of options, for all tests together."""
    with ExitStack() as undo:

        @cache
        def start(binary: EngineBinary, options: tuple[str, ...], observed: bool) -> RunningEngine:
            folder = tmp_path_factory.mktemp("engine")
            running = undo.enter_context(binary.start(folder, options=options, performance_schema=observed))
            prepare(running)
            running.execute("CREATE TABLE shop.parcels (id INT PRIMARY KEY, label VARCHAR(40))")
            with running.connect(database="shop") as client, client.cursor() as cursor:
                cursor.executemany("INSERT INTO parcels VALUES (%s, 'x')", [(number,) for number in range(20_000)])
            with running.connect() as administrator:
                create_account(
                    administrator, "shopper", PASSWORD, ("SELECT, INSERT, UPDATE, ALTER, EXECUTE ON shop.*",)
                )
            return running

        yield lambda binary, case: start(binary, case.options, case.observed)


@asynccontextmanager
async def blinded(case: Blindness, running: RunningEngine, start: StartInstance) -> AsyncIterator[InstanceView]:
    """What Storex sees of the server while it is blinded and the fault is there."""
    with ExitStack() as undo:
        user = STOREX_USER
        if case.without:
            user = "partial"
            with running.connect() as administrator:
                create_account(administrator, user, PASSWORD, tuple(less(running, case.without)))
            undo.callback(running.execute, "DROP USER partial")
        if case.off:
            running.execute(f"UPDATE performance_schema.{case.off}")
            undo.callback(running.execute, f"UPDATE performance_schema.{case.off.replace('NO', 'YES')}")
        if case.monitor:
            running.execute(f"SET GLOBAL innodb_monitor_disable = '{case.monitor}'")
            undo.callback(running.execute, f"SET GLOBAL innodb_monitor_enable = '{case.monitor}'")
        undo.enter_context(case.fault(running))
        yield (await start(running, user=user)).view


@pytest.mark.parametrize(
    ("name", "binary"),
    [
        pytest.param(name, binary, id=f"{name}-{binary.kind}-{binary.version}")
        for name, case in CASES.items()
        for binary in require_engines()
        if case.only in ("", binary.kind)
    ],
)
async def test_what_cannot_be_seen_is_never_clear(
    name: str, binary: EngineBinary, servers: Servers, start_instance: StartInstance
) -> None:
    case = CASES[name]
    async with blinded(case, servers(binary, case), start_instance) as view:

        def told(health: object) -> bool:
            return any(check.kind == case.kind and _is_told(check) for check in health.checks)  # type: ignore[attr-defined]

        health = await health_when(view, told, seconds=20.0)
        [check] = [check for check in health.checks if check.kind == case.kind]
        assert _is_told(check), check
        await asyncio.sleep(1.5)  # and it stays so
        [check] = [check for check in (await assess(view, {})).checks if check.kind == case.kind]
        assert check.result != finding_pb2.CHECK_RESULT_CLEAR, check


_REMEDIES = (
    "GRANT ",
    "useServerPrepStmts",
    "running statements",
    "performance_schema",
    "innodb_monitor_enable",
    "max_digest_length",
)


def _is_told(check: finding_pb2.Check) -> bool:
    """Found, or said to be out of sight together with what mends it."""
    if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED:
        return any(remedy in check.reason for remedy in _REMEDIES)
    return check.result == finding_pb2.CHECK_RESULT_FOUND
