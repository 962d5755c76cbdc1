"""`storex status`: what runs, where, by which rules, and what went wrong with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from libs.cli.mesh.metrics import InForce, files_in_force
from libs.cli.mesh.state import MeshState
from libs.cli.output import Output, table_of
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, Place, StateDirOption

_STYLES = {"ready": "green", "starting": "yellow", "waiting": "red"}


def status(file: FileOption = None, state_dir: StateDirOption = None, as_json: JsonOption = False) -> None:
    """Show the running mesh: its services, where they are, their policy, and how often they were started again."""
    output = Output(as_json=as_json)
    state = Place.find(file, state_dir).mesh()
    if as_json:
        in_force = files_in_force(state)
        data = state.as_json()
        for service in data["services"]:
            service["in_force"] = [asdict(files) for files in in_force.get(service["name"], ())]
        output.json(data)
    else:
        show_mesh(output, state)


def show_mesh(output: Output, state: MeshState) -> None:
    """Print a mesh for people; files that a service refused are told last, where they are seen."""
    minutes, seconds = divmod(int(time.time() - state.started_at), 60)
    output.show(
        f"The mesh is {state.state} at {state.coordinator}, up for {minutes} min {seconds} s (pid {state.pid})."
    )
    in_force = files_in_force(state)
    rows = [
        (
            service.name,
            service.state,
            str(service.pid or ""),
            service.address,
            _versions(in_force.get(service.name, ())),
            str(service.restarts),
            service.last_exit,
        )
        for service in state.services
    ]
    output.show(table_of(("service", "state", "pid", "address", "policy", "restarts", "last exit"), rows, _STYLES))
    for service in state.services:
        for files in in_force.get(service.name, ()):
            if files.problems:
                told = (
                    f"{service.name} refused newer {files.source} files and goes by {files.version}: see {service.log}"
                )
                output.show(plain(told, "bold red"))


def _versions(in_force: Sequence[InForce]) -> str:
    return next((files.version for files in in_force if files.source == "policy"), "")
