"""`storex down`: stop the mesh."""

from __future__ import annotations

import os
import select
import signal
import time

from libs.cli.failures import CommandError
from libs.cli.mesh.state import MeshDirectory
from libs.cli.output import Output
from libs.cli.session import FileOption, JsonOption, Place, StateDirOption

STOP_SECONDS = 30.0
"""How long a mesh may take to stop; a demonstration stops its databases too."""


def down(file: FileOption = None, state_dir: StateDirOption = None, as_json: JsonOption = False) -> None:
    """Stop the running mesh, and wait until all of it is gone. Without one there is nothing to do."""
    output = Output(as_json=as_json)
    place = Place.find(file, state_dir)
    directory = MeshDirectory(place.state_dir)
    state = directory.read()
    if state is not None and not _stop(state.pid, directory):
        remedy = f"`kill -9 {state.pid}` ends it; its services stop by themselves then."
        raise CommandError(f"The mesh (pid {state.pid}) does not stop.", remedy)
    if as_json:
        output.json({"stopped": state is not None})
    else:
        output.note("Stopped." if state is not None else f"No mesh was running in {place.state_dir}.")


def _stop(pid: int, directory: MeshDirectory) -> bool:
    """Tell a supervisor to stop; whether it gave up its state directory and ended, in time."""
    deadline = time.monotonic() + STOP_SECONDS
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        while directory.is_held():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        # A process that has gone, reaped or not, makes its descriptor readable.
        gone, _, _ = select.select([process], [], [], max(0.0, deadline - time.monotonic()))
        return bool(gone)
    except ProcessLookupError:
        return True
    finally:
        os.close(process)
