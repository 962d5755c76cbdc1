from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from libs.cli.program import command


def test_a_hint_runs_the_program_that_was_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/storex", "up"])
    assert command("fleet", file="/a b/storex.yaml") == ".venv/bin/storex fleet -f '/a b/storex.yaml'"
    monkeypatch.setattr(sys, "argv", ["/opt/libs/cli/__main__.py"])
    assert shlex.split(command("fleet")) == [sys.executable, "-m", "libs.cli", "fleet"]


def test_what_the_shell_finds_needs_no_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "storex"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("ask", "why?") == "storex ask 'why?'"
