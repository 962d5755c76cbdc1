"""`storex status`: what runs, where, by which rules, and what went wrong with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from libs.cli.mesh.metrics import InForce, files_in_force
from libs.cli.mesh.state import MeshState, ServiceState
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
            known = in_force.get(service["name"])
            service["in_force"] = None if known is None else [asdict(files) for files in known]
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
            _version(service, in_force),
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


def _version(service: ServiceState, in_force: Mapping[str, Sequence[InForce]]) -> str:
    if service.name not in in_force:
        return "no answer" if service.state == "ready" else ""
    return next((files.version for files in in_force[service.name] if files.source == "policy"), "")
