"""The program as the person called it, for hints that are pasted back into the same shell."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """What to type to run this program again: the name alone where the shell finds it, else the path as typed."""
    called = sys.argv[0]
    path = Path(called)
    if path.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m libs.cli"
    found = shutil.which(path.name)
    # A script that was found on the PATH is told its whole path; nobody typed that.
    if found is not None and Path(found).absolute() == path.absolute():
        return shlex.quote(path.name)
    return shlex.quote(called)


def command(*arguments: str, file: Path | str | None = None) -> str:
    """A command line of this program, its arguments quoted for a shell; `file` is the configuration it is about."""
    option = ["-f", str(file)] if file is not None else []
    return " ".join([program(), *map(shlex.quote, [*arguments, *option])])
