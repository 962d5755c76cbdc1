"""Where a region's history is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from libs.config import ConfigError, load_config

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "history-store.md"


def _example() -> str:
    (text,) = re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


def _written(folder: Path, text: str) -> Path:
    path = folder / "storex.yaml"
    path.write_text(text)
    return path


def test_the_page_shows_a_store_that_is_understood(tmp_path: Path) -> None:
    (tmp_path / "history.password").write_text("one\n")
    store = load_config(_written(tmp_path, _example())).regions["eu-west-1"].store
    assert store is not None
    assert (store.host, store.port, store.user, store.database) == (
        "history.eu-west-1.internal",
        3306,
        "storex_store",
        "storex",
    )
    assert store.password() == "one"
    (tmp_path / "history.password").write_text("two\n")
    assert store.password() == "two"


def test_without_one_there_is_none(tmp_path: Path) -> None:
    without = re.sub(r"    store:\n(?:      .*\n)+", "", _example())
    assert load_config(_written(tmp_path, without)).regions["eu-west-1"].store is None


@pytest.mark.parametrize(
    ("line", "changed", "problem"),
    [
        ("      database: storex\n", "", "store.database is missing"),
        ("      host: history.eu-west-1.internal\n", "      host: orders.internal\n", "is a server that is looked"),
        ("      password_file: history.password\n", "      password: secret\n", "unknown key 'password'"),
    ],
)
def test_what_is_wrong_with_a_store_is_told(tmp_path: Path, line: str, changed: str, problem: str) -> None:
    assert line in _example()
    with pytest.raises(ConfigError, match=problem):
        load_config(_written(tmp_path, _example().replace(line, changed)))
