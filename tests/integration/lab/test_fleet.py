"""The demo's fleet, whole: real engines, live clients, least privilege, and a file that names them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
    """The running fleet; at the end it is stopped in the middle of an incident, and nothing may stay."""
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        yield running
        engines = [instance.engine for instance in running.instances.values()]
        running.inject("connections.leak", "orders-1")
    assert engines
    assert not any(engine.is_running for engine in engines)
    assert not (running.base_dir / "engines").exists()


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
    while (waits := _lock_waits(fleet, "payments-1")) and time.monotonic() < until:
        time.sleep(0.1)
    assert waits == 0


def test_an_unknown_instance_lists_the_known_ones(fleet: LabFleet) -> None:
    with pytest.raises(IncidentError, match="orders-1, payments-1"):
        fleet.inject("healthy", "orders-9")


@pytest.mark.slow
def test_ctrl_c_while_starting_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import signal, sys\nfrom pathlib import Path\nfrom libs.lab.fleet import LabFleet\n"
        # A job in the background of a script inherits that Ctrl-C is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "LabFleet.start(Path(sys.argv[1]))\nprint('started', flush=True)\n"
    )
    lab = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "fleet")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    while not list((tmp_path / "fleet").glob("engines/*/engine.pid")):
        assert lab.poll() is None, "it ended before its first engine ran"
        time.sleep(0.02)
    lab.send_signal(signal.SIGINT)
    output, _ = lab.communicate(timeout=60)
    assert (output, lab.returncode) == (b"", -signal.SIGINT)
    assert not (tmp_path / "fleet" / "engines").exists()
    assert list(tmp_path.glob("storex-lab-*")) == []
    assert not [command for command in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path) in _text(command)]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _lock_waits(fleet: LabFleet, name: str) -> int:
    rows = fleet.instances[name].engine.execute("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    return int(rows[0][1])
