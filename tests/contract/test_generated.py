from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.protos import ROOT

BUF = Path(sys.executable).parent / "buf"


@pytest.mark.parametrize(
    "arguments",
    [
        ("lint",),
        ("format", "--diff", "--exit-code"),
        ("breaking", "--against", "proto/image.binpb"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_the_protos_pass_buf(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([BUF, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_are_what_the_protos_say() -> None:
    command = [sys.executable, "scripts/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
