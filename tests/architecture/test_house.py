"""The shape of the code: small files and functions, packages that say what they are, siblings that stay apart."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = sorted(p for folder in ("libs", "services", "scripts", "tests") for p in (ROOT / folder).rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 45
SIBLINGS_APART = (
    "services/shard/collectors",
    "services/shard/detectors",
    "services/agent/tools",
    "services/agent/specialists",
    "libs/lab/incidents",
)

SHARED_BY_SIBLINGS = {
    "__init__",
    "registry",
    "readings",
    "citation",
    "parts",
    "piles",
    "query_scans",
    "injection",
    "tool",
}
"""What a folder of siblings has in common: its registry, and the shape of what each is given and gives back."""


def test_files_stay_small() -> None:
    long = [f"{p.relative_to(ROOT)}" for p in CODE if len(p.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE]
    assert not long


def test_functions_stay_small() -> None:
    long = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines")
    assert not long


@pytest.mark.parametrize("top", ["libs", "services"])
def test_every_package_says_what_it_is(top: str) -> None:
    silent = [
        str(p.relative_to(ROOT))
        for p in (ROOT / top).rglob("__init__.py")
        if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize("folder", SIBLINGS_APART)
def test_siblings_do_not_import_each_other(folder: str) -> None:
    package = folder.replace("/", ".")
    modules = {p.stem for p in (ROOT / folder).glob("*.py")} - SHARED_BY_SIBLINGS
    modules |= {p.parent.name for p in (ROOT / folder).glob("*/__init__.py")}
    assert modules, f"{folder} holds nothing"
    for path in (ROOT / folder).rglob("*.py"):
        own = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        if own in SHARED_BY_SIBLINGS:
            continue
        imported = set(re.findall(rf"from {re.escape(package)}\.(\w+)", path.read_text(encoding="utf-8")))
        assert not (imported & modules) - {own}, f"{path.relative_to(ROOT)} imports {imported & modules}"


def test_no_secret_or_machine_path_is_committed() -> None:
    # the pattern is put together so that this file does not match itself
    pattern = "|".join(["/wo" + "rk/", "/ro" + "ot/", "BEGIN (EC |RSA )?PRIV" + "ATE KEY"])
    found = subprocess.run(
        ["git", "grep", "-nIE", pattern], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    assert not found
