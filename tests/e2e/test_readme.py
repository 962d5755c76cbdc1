"""The README's own journey: its GRANTs, its storex.yaml and its commands, taken from the page and run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.lab.accounts import grants
from libs.lab.engines import EngineBinary, RunningEngine, find_engines

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PASSWORD = "a pass-word"


def _block(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (block,) = [found for found in blocks if holding in found]
    return "\n".join(line.removeprefix("   ") for line in block.splitlines())


def _statements(kind: str) -> list[str]:
    """The page's statements for an engine: those that no comment keeps for the other one."""
    other = {"MariaDB": "-- MySQL", "MySQL": "-- MariaDB"}[kind]
    lines = [line for line in _block("sql", "CREATE USER").splitlines() if not line.rstrip().endswith(other)]
    return [line.partition(";")[0] for line in lines if line.strip()]


@pytest.fixture(scope="module", params=find_engines(), ids=str)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    binary: EngineBinary = request.param
    running = binary.start(tmp_path_factory.mktemp("readme"))
    try:
        yield running
    finally:
        running.kill()


def test_the_grants_are_the_ones_that_the_tests_run_with() -> None:
    for kind in ("MariaDB", "MySQL"):
        told = [re.sub(r"^GRANT | TO 'storex'@'%'$", "", line) for line in _statements(kind)[1:]]
        assert sorted(told) == sorted(grants(kind))


@pytest.mark.engine
def test_the_commands_work_on_a_database_of_ones_own(engine: RunningEngine, tmp_path: Path) -> None:
    with engine.connect() as administrator, administrator.cursor() as cursor:
        for statement in _statements(engine.kind):
            cursor.execute(statement.replace("'…'", f"'{PASSWORD}'"))
    (tmp_path / "storex.yaml").write_text(_block("yaml", "state_dir").replace("3306", str(engine.port)))
    commands = _block("sh", "storex up").strip().splitlines()
    assert len(commands) == 6
    try:
        for command in commands:
            done = _run(command, tmp_path)
            assert done.returncode == 0, f"{command}: {done.stderr}"
    finally:
        _run(".venv/bin/storex down", tmp_path)


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == ".venv/bin/storex"
    return subprocess.run(
        [sys.executable, "-m", "libs.cli", *arguments],
        cwd=folder,
        env={**os.environ, "ORDERS_PW": PASSWORD},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
