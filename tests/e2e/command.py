"""The `storex` command as the journeys use it, and a mesh that it starts and stops."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.cli.__main__ import run


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Storex:
    """Runs commands with a mesh's file, in this process, where an interpreter need not be started for each."""

    config: Path

    def run(self, *arguments: str) -> Done:
        return self.run_alone(*arguments, "-f", str(self.config))

    def run_alone(self, *arguments: str) -> Done:
        """A command that wants no mesh's file."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run([*arguments])
        return Done(status, out.getvalue(), err.getvalue())

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.status == 0, done.stderr
        return json.loads(done.stdout)


@contextmanager
def running_mesh(config: Path) -> Iterator[Storex]:
    """A mesh of real processes."""
    command = Storex(config)
    try:
        started = [sys.executable, "-m", "libs.cli", "up", "--detach", "-f", str(config)]
        subprocess.run(started, check=True, timeout=60)
        yield command
    finally:
        command.run("down")


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
