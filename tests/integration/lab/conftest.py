"""A server of each kind that this machine has, and the shop at work on it as it is in the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.lab.accounts import Login, create_account
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from libs.lab.injection import Target
from libs.lab.schema import create_database, create_tables
from libs.lab.server import APPLICATION_PRIVILEGES
from libs.lab.shop import SERVICES
from libs.lab.workload import Workload

ENGINES = require_engines()
ENGINE_NAMES = [f"{engine.kind}-{engine.version}" for engine in ENGINES]


@pytest.fixture(scope="package", params=ENGINES, ids=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    binary: EngineBinary = request.param
    with binary.start(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="package")
def target(engine: RunningEngine) -> Iterator[Target]:
    """The service payments, with an ordinary account and its usual clients."""
    yield from serve(engine, Path(engine.directory).name)


def serve(engine: RunningEngine, password: str) -> Iterator[Target]:
    """Create the service payments on a server, let its clients work, and remove it at the end."""
    service = SERVICES["payments"]
    application = Login(engine.host, engine.port, service.account, password)
    administrator = Login(engine.host, engine.port, engine.user, engine.password, is_patient=True)
    with administrator.connect(program="lab") as connection:
        create_database(connection, service.name)
        create_tables(connection, service, service.name)
        create_account(connection, application.user, password, [f"{APPLICATION_PRIVILEGES} ON `{service.name}`.*"])
    workload = Workload(application, service.name, service.programs)
    workload.start()
    try:
        yield Target(application, administrator, service, service.name, workload, restart=engine.restart)
    finally:
        workload.stop()
        administrator.execute(f"DROP DATABASE {service.name}")
        administrator.execute(f"DROP USER {application.user}@'%'")
