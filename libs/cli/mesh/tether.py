"""Runs a service module on a lifeline: when standard input ends, the process that started it is gone, and it stops.

    python -m libs.cli.mesh.tether services.shard --config storex.yaml …

A pipe works on every system and survives no `kill -9` of its other end, which is all that is asked of it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Sequence

_STANDARD_INPUT = 0
GRACE_SECONDS = 5.0
"""How long a service may take to stop by itself after its lifeline broke."""


def main(argv: Sequence[str]) -> None:
    """Run the module named first with the rest as its arguments."""
    threading.Thread(target=_watch_lifeline, name="lifeline", daemon=True).start()
    module, *arguments = argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch_lifeline() -> None:
    while os.read(_STANDARD_INPUT, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
