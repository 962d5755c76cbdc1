from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path)}


def processes_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


@pytest.mark.parametrize("incident", ["lock.row_blocker", "query.missing_index", "connections.leak", "healthy"])
def test_the_demo_finds_what_it_injects_and_leaves_nothing(tmp_path: Path, incident: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "libs.cli", "demo", "--incident", incident, "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["truth"]["kind"] == incident
    assert told["seconds"]["answer"] < 10
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


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
    assert processes_of(tmp_path) == []


def test_a_kept_demo_stays_until_it_is_taken_down(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "libs.cli"]
    shown = {"capture_output": True, "text": True, "timeout": 110, "check": False}
    done = subprocess.run([*command, "demo", "--keep"], env=environment(tmp_path), **shown)  # type: ignore[call-overload]
    (folder,) = tmp_path.iterdir()
    config = str(folder / "storex.yaml")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"storex down -f {config}" in done.stderr
        assert subprocess.run([*command, "fleet", "-f", config], **shown).returncode == 0  # type: ignore[call-overload]
    finally:
        down = subprocess.run([*command, "down", "-f", config], **shown)  # type: ignore[call-overload]
    assert down.returncode == 0, down.stderr
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []
