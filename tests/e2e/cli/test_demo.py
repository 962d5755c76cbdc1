from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path)}


def storex(*arguments: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "libs.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        env=environment(tmp_path),
        check=False,
    )


@pytest.fixture(autouse=True)
def _nothing_outlives_a_failure(tmp_path: Path) -> Iterator[None]:
    yield
    for pid in processes_of(tmp_path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes_of(folder: Path) -> dict[int, str]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found[int(entry.parent.name)] = command
    return found


@pytest.mark.parametrize(
    "incident",
    [
        "lock.row_blocker",
        *(
            pytest.param(incident, marks=pytest.mark.slow)
            for incident in ("query.missing_index", "connections.leak", "healthy")
        ),
    ],
)
def test_the_demo_finds_what_it_injects_and_leaves_nothing(tmp_path: Path, incident: str) -> None:
    done = storex("demo", "--incident", incident, "--json", tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["truth"]["kind"] == incident
    assert told["seconds"]["answer"] < 10
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == {}


@pytest.mark.slow
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "libs.cli", "demo"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)) as demo:
        try:
            assert demo.stderr is not None
            for line in demo.stderr:
                if "databases" in line and "at work" in line:
                    break
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 130
        finally:
            demo.kill()
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == {}


@pytest.mark.slow
def test_a_kept_demo_stays_until_it_is_taken_down(tmp_path: Path) -> None:
    done = storex("demo", "--keep", tmp_path=tmp_path)
    config = next(tmp_path.glob("storex-demo-*")) / "storex.yaml"
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"-m libs.cli down -f {config}" in done.stderr, "as it was called, to be pasted back"
        assert storex("fleet", "-f", str(config), tmp_path=tmp_path).returncode == 0
    finally:
        down = storex("down", "-f", str(config), tmp_path=tmp_path)
    assert down.returncode == 0, down.stderr
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == {}
