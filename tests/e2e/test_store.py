"""A mesh whose region keeps its history in a database server of its own, and finds it again after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from libs.lab.accounts import STOREX_USER, create_account, grants
from libs.lab.engines import require_engines
from tests.e2e.command import Storex, running_mesh

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PASSWORD, STORE_PASSWORD = "watches", "keeps"
KEEPING = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON storex.*"


def within(seconds: float, reached: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.3)


def points(storex: Storex) -> int:
    answer = storex.json("history", "db-1", "queries_per_second", "--for", "10m")
    return len(answer["points"])


def test_history_is_kept_in_a_server_of_the_regions_own(tmp_path: Path) -> None:
    binary = require_engines()[-1]
    with binary.start(tmp_path / "watched") as watched, binary.start(tmp_path / "keeping") as keeping:
        with watched.connect() as administrator:
            create_account(administrator, STOREX_USER, PASSWORD, grants(watched.kind))
        keeping.execute("CREATE DATABASE storex")
        with keeping.connect() as administrator:
            create_account(administrator, "storex_store", STORE_PASSWORD, [KEEPING])
        config = configure(tmp_path, watched.port, keeping.port)
        with running_mesh(config) as storex:
            within(30, lambda: points(storex) > 2)
        assert keeping.execute("SELECT COUNT(*) FROM storex.samples")[0][0] > 2
        assert not list(tmp_path.rglob("history.sqlite"))
        with running_mesh(config) as storex:
            kept = points(storex)
            assert kept > 2
            within(30, lambda: points(storex) > kept)
            keeping.kill()
            assert storex.run("diag", "overview", "db-1").status == 0
            assert "STORE_UNAVAILABLE" in storex.run("history", "db-1", "queries_per_second", "--json").stderr


def configure(folder: Path, watched: int, keeping: int) -> Path:
    (folder / "password").write_text(PASSWORD)
    (folder / "store.password").write_text(STORE_PASSWORD)
    instance = {"host": "127.0.0.1", "port": watched, "user": STOREX_USER, "password_file": "password", "team": "shop"}
    store = {
        "host": "127.0.0.1",
        "port": keeping,
        "user": "storex_store",
        "password_file": "store.password",
        "database": "storex",
    }
    region = {"domain": "gdpr", "store": store, "instances": {"db-1": instance}}
    path = folder / "storex.yaml"
    path.write_text(yaml.safe_dump({"state_dir": "state", "regions": {"eu-west-1": region}}))
    return path
