"""The demo's fleet, whole: real engines, live clients, least privilege, and a file that names them all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from libs.config import load_config
from libs.lab.accounts import STOREX_USER
from libs.lab.errors import IncidentError
from libs.lab.fleet import LabFleet

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        yield running


def test_three_regions_in_two_domains_with_five_instances(fleet: LabFleet) -> None:
    config = load_config(fleet.config_path)
    regions = list(config.regions.values())
    assert len(regions) == 3
    assert len({region.domain for region in regions}) == 2
    assert len({region.cloud for region in regions}) == 3
    assert len(fleet.instances) >= 5
    assert {instance for region in regions for instance in region.instances} == set(fleet.instances)


def test_storex_logs_in_with_the_password_file_and_reads_no_rows(fleet: LabFleet) -> None:
    for region in load_config(fleet.config_path).regions.values():
        for name, instance in region.instances.items():
            password_file = fleet.base_dir / "secrets" / name
            assert password_file.stat().st_mode & 0o077 == 0
            engine, service = fleet.instances[name].engine, fleet.instances[name].service
            assert (instance.port, instance.user) == (engine.port, STOREX_USER)
            with engine.connect(user=instance.user, password=instance.password()) as storex, storex.cursor() as cursor:
                for table in ("performance_schema.threads", "information_schema.innodb_trx", "sys.version"):
                    cursor.execute(f"SELECT * FROM {table} LIMIT 1")
                cursor.execute("SHOW ENGINE INNODB STATUS")
                with pytest.raises(pymysql.err.OperationalError):
                    cursor.execute(f"SELECT * FROM {service.name}.{service.hot.table} LIMIT 1")


def test_clients_are_at_work_without_errors(fleet: LabFleet) -> None:
    before = {name: instance.workload.operations for name, instance in fleet.instances.items()}
    time.sleep(2)
    for name, instance in fleet.instances.items():
        assert instance.workload.operations - before[name] >= 10
        assert instance.workload.problems == []
        programs = {program.name for program in instance.service.programs}
        shown = instance.engine.execute(
            "SELECT DISTINCT attr_value FROM performance_schema.session_connect_attrs WHERE attr_name = 'program_name'"
        )
        assert programs <= {str(value) for (value,) in shown}


def test_an_incident_hits_one_instance_and_ends(fleet: LabFleet) -> None:
    with fleet.inject("lock.row_blocker", "payments-1"):
        assert _lock_waits(fleet, "payments-1") >= 4
        assert _lock_waits(fleet, "payments-2") == 0
    until = time.monotonic() + 5
    while _lock_waits(fleet, "payments-1") and time.monotonic() < until:
        time.sleep(0.1)
    assert _lock_waits(fleet, "payments-1") == 0


def test_an_unknown_instance_lists_the_known_ones(fleet: LabFleet) -> None:
    with pytest.raises(IncidentError, match="orders-1, payments-1"):
        fleet.inject("healthy", "orders-9")


def test_stops_everything_and_leaves_no_data(tmp_path: Path) -> None:
    fleet = LabFleet.start(tmp_path)
    engines = [instance.engine for instance in fleet.instances.values()]
    fleet.inject("connections.leak", "orders-1")
    fleet.stop()
    assert not any(engine.is_running for engine in engines)
    assert not (tmp_path / "engines").exists()
    fleet.stop()


def _lock_waits(fleet: LabFleet, name: str) -> int:
    rows = fleet.instances[name].engine.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    return int(rows[0][1])
