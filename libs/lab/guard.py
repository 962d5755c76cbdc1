"""Runs one engine and kills it when the lab's process is gone.

Started as `python -I -S guard.py COMMAND...` with a pipe on stdin that only the lab's process holds: the pipe closes
when that process ends, however it ends, SIGKILL included. The kernel ends the engine should the guard itself be killed.
A parent-death signal set by the lab would not do: it follows the *thread* that started the child.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Start `command`, print its process id, wait for its end or for the lab's; returns its exit status."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, preexec_fn=_die_with_guard)
    print(child.pid, flush=True)
    ended = os.pidfd_open(child.pid)
    select.select([sys.stdin.fileno(), ended], [], [])
    if child.poll() is None:
        child.kill()
    return abs(child.wait())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
