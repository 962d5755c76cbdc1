"""`storex status`: what runs, where, and what went wrong with it."""

from __future__ import annotations

import time

from libs.cli.mesh.state import MeshState
from libs.cli.output import Output, table_of
from libs.cli.session import FileOption, JsonOption, Place, StateDirOption

_STYLES = {"ready": "green", "starting": "yellow", "waiting": "red"}


def status(file: FileOption = None, state_dir: StateDirOption = None, as_json: JsonOption = False) -> None:
    """Show the running mesh: its services, their addresses, and how often they had to be started again."""
    output = Output(as_json=as_json)
    state = Place.find(file, state_dir).mesh()
    output.json(state.as_json()) if as_json else show_mesh(output, state)


def show_mesh(output: Output, state: MeshState) -> None:
    """Print a mesh for people."""
    minutes, seconds = divmod(int(time.time() - state.started_at), 60)
    output.show(
        f"The mesh is {state.state} at {state.coordinator}, up for {minutes} min {seconds} s (pid {state.pid})."
    )
    rows = [
        (service.name, service.state, str(service.pid or ""), service.address, str(service.restarts), service.last_exit)
        for service in state.services
    ]
    output.show(table_of(("service", "state", "pid", "address", "restarts", "last exit"), rows, _STYLES))
