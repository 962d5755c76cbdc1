"""`storex up` as a process of its own, over a region without instances: no database is needed to start and stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.processes import is_running

CONFIG = "state_dir: state\nregions: {r1: {domain: d, instances: {}}}\n"
COMMAND = [sys.executable, "-m", "libs.cli"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "storex.yaml"
    path.write_text(CONFIG)
    return path


def storex(*arguments: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "-f", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def until_gone(pids: list[int], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Foreground:
    """`storex up --json` in the foreground, followed until the mesh is ready."""

    def __init__(self, file: Path) -> None:
        self.process = subprocess.Popen([*COMMAND, "up", "--json", "-f", str(file)], stdout=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []
        for line in self.process.stdout or ():
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == "mesh_ready":
                break

    def __enter__(self) -> Foreground:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def service_pids(file: Path) -> list[int]:
    shown = json.loads(storex("status", "--json", file=file).stdout)
    assert [service["name"] for service in shown["services"]] == ["shard-r1", "coordinator", "agent", "judge"]
    return [service["pid"] for service in shown["services"]]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_everything(file: Path, number: signal.Signals) -> None:
    with Foreground(file) as mesh:
        assert {event["service"] for event in mesh.events} == {"shard-r1", "coordinator", "agent", "judge", ""}
        pids = service_pids(file)
        mesh.process.send_signal(number)
        assert mesh.process.wait(20) == 0
        assert not any(is_running(pid) for pid in pids)
    assert storex("status", file=file).returncode == 4


def test_nothing_outlives_a_killed_supervisor_and_it_can_be_started_again(file: Path) -> None:
    with Foreground(file) as mesh:
        pids = service_pids(file)
        mesh.process.kill()
        mesh.process.wait()
        until_gone(pids)
    assert storex("status", file=file).returncode == 4
    detached = storex("up", "--detach", "--json", file=file)
    assert detached.returncode == 0, detached.stderr
    assert json.loads(detached.stdout)["state"] == "ready"
    pids = service_pids(file)
    stopped = storex("down", "--json", file=file)
    assert json.loads(stopped.stdout) == {"stopped": True}
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.slow
def test_a_file_broken_while_the_mesh_runs_does_not_stop_it_from_being_stopped(file: Path, tmp_path: Path) -> None:
    file.write_text(CONFIG.replace("state_dir: state\n", ""))
    with Foreground(file) as mesh:
        file.write_text("regions: [\n")
        assert storex("status", file=file).returncode == 0
        assert storex("fleet", file=file).returncode == 0
        assert storex("down", file=file).returncode == 0
        assert mesh.process.wait(20) == 0


def test_secrets_are_for_their_owner_only_and_stand_in_no_command_line(file: Path, tmp_path: Path) -> None:
    with Foreground(file):
        tokens = [path.read_text() for path in (tmp_path / "state/tokens").iterdir()]
        assert len(tokens) == 4
        commands = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in service_pids(file))
        environments = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in service_pids(file))
        assert not any(token.encode() in commands + environments for token in tokens)
        modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").rglob("*.jwt")}
        assert modes == {0}
        assert os.stat(tmp_path / "state").st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CONFIG + "polici: x\n", "storex.yaml:3: unknown key 'polici'. Write `policy`, if you meant that."),
        (CONFIG + "egress: absent.yaml\n", "storex.yaml:3: egress names"),
        (CONFIG + "policy: absent\n", "storex.yaml:3: policy names"),
    ],
)
def test_a_file_with_faults_starts_nothing(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    refused = storex("up", "--detach", file=file)
    assert refused.returncode == 3
    assert told in refused.stderr
    assert not (file.parent / "state").exists()


@pytest.mark.slow
def test_databases_that_cannot_be_reached_are_named_with_their_remedy(file: Path, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("x")
    file.write_text(
        "state_dir: state\nregions:\n  r1:\n    domain: d\n    instances:\n"
        "      dead-1: {host: 127.0.0.1, port: 1, user: u, password_file: pw, team: t}\n"
        "      unset-1: {host: 127.0.0.1, port: 1, user: u, password_env: STOREX_TEST_NOT_SET, team: t}\n"
    )
    started = storex("up", "--detach", file=file)
    try:
        assert started.returncode == 0, started.stderr
        assert "storex.yaml:7: the environment variable STOREX_TEST_NOT_SET is not set" in started.stderr
        listed = json.loads(storex("fleet", "--json", file=file).stdout)
        assert {instance["name"][-6:]: instance["reason"] for instance in listed["instances"]} == {
            "dead-1": "DATABASE_UNREACHABLE",
            "nset-1": "DATABASE_PASSWORD_MISSING",
        }
        asked = storex("ask", "r1", "what is wrong?", "--json", file=file)
        assert asked.returncode == 0, asked.stderr
        report = json.loads(asked.stdout)
        assert report["verdict"] == "VERDICT_INCONCLUSIVE"
        assert all(limit["remedy"] for limit in report["limits"])
        assert {limit["code"] for limit in report["limits"]} == {"DATABASE_UNREACHABLE", "DATABASE_PASSWORD_MISSING"}
    finally:
        storex("down", file=file)
