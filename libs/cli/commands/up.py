"""`storex up`: run the whole mesh on this machine."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import Annotated

import typer

from libs.cli.commands.status import show_mesh
from libs.cli.failures import CommandError, ExitStatus
from libs.cli.mesh.state import AlreadyRunningError, MeshDirectory, MeshState
from libs.cli.mesh.supervisor import MeshEvent, Supervisor
from libs.cli.output import Output
from libs.cli.program import command
from libs.cli.role_check import check_roles
from libs.cli.session import FileOption, JsonOption, config_file
from libs.config import ConfigError, StorexConfig, load_config

READY_SECONDS = 60.0
"""How long `--detach` waits for the mesh before it says what is missing."""


def up(
    file: FileOption = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once the mesh is ready; leave it running.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the mesh: a shard a region, the coordinator and the agent, until Ctrl-C or SIGTERM."""
    output = Output(as_json=as_json)
    config = load_config(config_file(file), check_files=True)
    check_roles(config)
    _warn_about_passwords(config, output)
    directory = MeshDirectory(config.state_dir)
    if directory.is_held():
        raise _already_running(config)
    if detach:
        state = _detach(config, directory)
        output.json(state.as_json()) if as_json else show_mesh(output, state)
    else:
        asyncio.run(_run(config, directory, output))


async def _run(config: StorexConfig, directory: MeshDirectory, output: Output) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        with directory.hold():
            await Supervisor(config, directory, lambda event: _tell(event, output, config)).run(stop)
    except AlreadyRunningError:
        raise _already_running(config) from None
    output.note("Stopped.")


def _tell(event: MeshEvent, output: Output, config: StorexConfig) -> None:
    if output.as_json:
        output.line({"event": event.event, "service": event.service, "text": event.text})
    elif event.event == "mesh_ready":
        output.note(f"The mesh is ready at {event.text}. Ctrl-C stops it. Try, elsewhere:", "bold green")
        output.note(f"  {command('fleet', file=config.path)}")
    elif event.event == "service_ready":
        output.note(f"{event.service} is ready at {event.text}")
    else:
        output.note(f"{event.service} {event.text}; it is started again", "yellow")


def _detach(config: StorexConfig, directory: MeshDirectory) -> MeshState:
    log_file = config.state_dir / "logs" / "supervisor.log"
    log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "libs.cli", "up", "--file", str(config.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        state = directory.read()
        if state is not None and state.state == "ready":
            return state
        time.sleep(0.05)
    state = directory.read()
    if process.poll() is not None or state is None:
        words = log_file.read_text(encoding="utf-8", errors="replace").strip()
        raise CommandError(f"The mesh did not start: {words or 'it said nothing'}", f"Its log is {log_file}.")
    raise _not_ready(state, config)


def _not_ready(state: MeshState, config: StorexConfig) -> CommandError:
    missing = [service for service in state.services if service.state != "ready"]
    reasons = "; ".join(f"{service.name} {service.last_exit or 'is still starting'}" for service in missing)
    return CommandError(
        f"The mesh runs but is not ready after {READY_SECONDS:.0f} s: {reasons}.",
        f"`{command('status', file=config.path)}` follows it; its logs are in {config.state_dir / 'logs'}.",
        ExitStatus.UNAVAILABLE,
    )


def _already_running(config: StorexConfig) -> CommandError:
    show, stop = (command(name, file=config.path) for name in ("status", "down"))
    remedy = f"`{show}` shows it, `{stop}` stops it."
    return CommandError(f"A mesh is already running in {config.state_dir}.", remedy, reason="ALREADY_RUNNING")


def _warn_about_passwords(config: StorexConfig, output: Output) -> None:
    for instance in config.instances:
        if instance.password_env is not None:
            try:
                instance.password()
            except ConfigError as error:
                output.note(str(error), "yellow")
