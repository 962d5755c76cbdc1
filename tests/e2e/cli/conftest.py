"""One fleet of real databases with a mesh over it, started by the command itself, for all journeys of this folder."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.cli.__main__ import run
from libs.lab.fleet import LabFleet


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Storex:
    """Runs commands with the fleet's file, in this process, where an interpreter need not be started for each."""

    config: Path

    def run(self, *arguments: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run([*arguments, "-f", str(self.config)])
        return Done(status, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.status == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="package")
def storex(fleet: LabFleet) -> Iterator[Storex]:
    command = Storex(fleet.config_path)
    try:
        started = [sys.executable, "-m", "libs.cli", "up", "--detach", "-f", str(fleet.config_path)]
        subprocess.run(started, check=True, timeout=60)
        yield command
    finally:
        command.run("down")
