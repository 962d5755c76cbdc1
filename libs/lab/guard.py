"""Runs one engine and kills it when the lab's process is gone.

Started as `python -I -S guard.py FOLDER COMMAND...` with a pipe on stdin that only the lab's process holds. A byte on
it asks for the engine's end; if it closes without one, the lab's process has ended, however it ended, SIGKILL included,
and the guard removes what that process could not: FOLDER. The kernel ends the engine should the guard itself be killed.
A parent-death signal set by the lab would not do: it follows the *thread* that started the child.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(folder: str, command: list[str]) -> int:
    """Start `command`, print its process id, wait for its end or for the lab's; returns its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=_die_with_guard)
    print(child.pid, flush=True)
    ended = os.pidfd_open(child.pid)
    select.select([sys.stdin.fileno(), ended], [], [])
    if child.poll() is None:
        child.kill()
        if not os.read(sys.stdin.fileno(), 1):
            shutil.rmtree(folder, ignore_errors=True)
    return abs(child.wait())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
