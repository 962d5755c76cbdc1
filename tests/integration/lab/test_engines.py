"""Real servers, started and stopped as the demo does it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pymysql
import pytest

from libs.lab.engines import find_engines, require_engines
from libs.lab.errors import EngineError

pytestmark = pytest.mark.engine


def _eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_starts_with_the_performance_schema_on_and_stops(tmp_path: Path) -> None:
    for binary in require_engines():
        with binary.start(tmp_path / binary.kind) as engine:
            version, performance_schema = engine.execute("SELECT VERSION(), @@performance_schema")[0]
            assert ("MariaDB" in version) == (binary.kind == "MariaDB")
            assert version.startswith(binary.version)
            assert performance_schema == 1
            assert engine.execute(
                "SELECT ENABLED FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl'"
            ) == [("YES",)]
            pid = engine.pid
        assert not _alive(pid)
        with pytest.raises(pymysql.err.OperationalError):
            engine.connect(connect_timeout=1)


@pytest.mark.slow
def test_the_performance_schema_can_be_left_off_and_data_outlive_a_power_cut(tmp_path: Path) -> None:
    binary = require_engines()[0]
    with binary.start(tmp_path, performance_schema=False) as engine:
        assert engine.execute("SELECT @@performance_schema") == [(0,)]
        engine.execute("CREATE DATABASE kept")
        engine.execute("CREATE TABLE kept.t (id INT PRIMARY KEY)")
        engine.execute("INSERT INTO kept.t VALUES (1), (2)")
        engine.kill()
        assert not engine.is_running
    with binary.start(tmp_path, port=engine.port, options=["--max-connections=33"]) as again:
        assert again.port == engine.port
        assert again.execute("SELECT COUNT(*) FROM kept.t") == [(2,)]
        assert again.execute("SELECT @@max_connections") == [(33,)]


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    binary = require_engines()[0]
    with pytest.raises(EngineError, match="nonsense"):
        binary.start(tmp_path, options=["--nonsense-option=1"])


@pytest.mark.slow
def test_a_long_directory_does_not_stop_it(tmp_path: Path) -> None:
    binary = require_engines()[0]
    with binary.start(tmp_path / ("long-" * 25)) as engine:
        assert engine.execute("SELECT 1") == [(1,)]


def test_engines_die_with_a_lab_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, threading, time\nfrom pathlib import Path\nfrom libs.lab.engines import require_engines\n"
        "started = []\n"
        "thread = threading.Thread(target=lambda: started.append(require_engines()[0].start(Path(sys.argv[1]))))\n"
        "thread.start(); thread.join()\n"
        "print(started[0].pid, started[0].guard.pid, flush=True)\ntime.sleep(60)\n"
    )
    lab = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "engine")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        assert lab.stdout is not None
        engine, guard = (int(word) for word in lab.stdout.readline().split())
        time.sleep(0.3)
        assert _alive(engine), "the end of the thread that started it must not end it"
    finally:
        lab.kill()
        lab.communicate()
    assert _eventually(lambda: not _alive(engine) and not _alive(guard))
    assert list(tmp_path.glob("storex-lab-*")) == []


def test_an_engine_dies_with_its_guard(tmp_path: Path) -> None:
    engine = require_engines()[0].start(tmp_path)
    os.kill(engine.guard.pid, signal.SIGKILL)
    assert _eventually(lambda: not _alive(engine.pid))
    engine.kill()


def test_finds_servers_without_sbin_on_the_path_and_each_once() -> None:
    engines = find_engines({"PATH": "/nowhere"})
    identities = [(engine.kind, engine.version) for engine in engines]
    assert identities
    assert len(set(identities)) == len(identities)


def test_the_named_server_comes_first_and_is_not_found_twice() -> None:
    plain = find_engines({"PATH": "/usr/sbin"})[0]
    named = find_engines({"PATH": "/usr/sbin", "STOREX_MYSQLD": f"{plain.command[0]} --loose-storex-mark=1"})
    assert named[0].command == (plain.command[0], "--no-defaults", "--loose-storex-mark=1")
    assert [(engine.kind, engine.version) for engine in named].count((plain.kind, plain.version)) == 1


def test_a_wrong_named_server_is_told() -> None:
    with pytest.raises(EngineError, match="STOREX_MYSQLD"):
        find_engines({"PATH": "/usr/sbin", "STOREX_MYSQLD": "/bin/echo hello"})
