"""Every promise on the security page names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


def promises() -> list[tuple[str, str]]:
    """The rows of every table whose second column says what keeps a promise."""
    kept = PAGE.split("| promise | kept by |")[1:]
    rows = [line for table in kept for line in table.partition("\n\n")[0].splitlines() if line.startswith("| ")]
    return [(cells[1].strip(), cells[2].strip()) for row in rows if len(cells := row.split("|")) == 4]


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_a_named_test_exists(file: str, function: str) -> None:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_what_keeps_it() -> None:
    assert len(promises()) > 30
    assert [promise for promise, kept_by in promises() if "::" not in kept_by] == []
