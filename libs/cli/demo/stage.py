"""The stage process: databases under load and a mesh over them, directed through standard input and output.

    python -m libs.cli.demo.stage FOLDER [INSTANCE ...]

Each INSTANCE gets a replica beside it. Takes a JSON object a line (`{"inject": ID, "instance": NAME}`,
`{"keep": true}`), tells a JSON object a line. It ends, and removes its folder, on SIGTERM, on `storex down`, and when
its input ends without having been told to keep on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from libs.cli.mesh.state import MeshDirectory
from libs.cli.mesh.supervisor import MeshEvent, Supervisor
from libs.config import load_config
from libs.lab.errors import LabError
from libs.lab.fleet import LabFleet

STATE_FOLDER = "state"


class Stage:
    """The fleet and the mesh of one demonstration."""

    def __init__(self, folder: Path, replicas_of: list[str]) -> None:
        self._folder = folder
        self._replicas_of = replicas_of
        self._stop = asyncio.Event()
        self._kept = False
        self._fleet: LabFleet | None = None

    async def run(self) -> None:
        """Set up, take directions, take down. Raises LabError, OSError."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        directions = asyncio.create_task(self._take_directions())
        directory = MeshDirectory(self._folder / STATE_FOLDER)
        with directory.hold():
            try:
                await self._set_up()
                if self._fleet is not None and not self._stop.is_set():
                    config = load_config(self._fleet.config_path, check_files=True)
                    await Supervisor(config, directory, self._tell_mesh).run(self._stop)
            finally:
                directions.cancel()
                await self._take_down()

    async def _set_up(self) -> None:
        began = time.monotonic()
        self._fleet = await asyncio.to_thread(
            LabFleet.start,
            self._folder,
            state_dir=self._folder / STATE_FOLDER,
            replicas_of=self._replicas_of,
        )
        instances = {
            instance.short_name: {"name": str(instance.name), "engine": instance.engine.kind}
            for instance in self._fleet.instances.values()
        }
        self._tell(
            event="fleet_ready",
            seconds=time.monotonic() - began,
            config=str(self._fleet.config_path),
            instances=instances,
        )

    async def _take_down(self) -> None:
        if self._fleet is not None:
            await asyncio.to_thread(self._fleet.stop)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _take_directions(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            direction = json.loads(line)
            if "inject" in direction:
                await self._inject(direction["inject"], direction["instance"])
            elif direction.get("keep"):
                self._tell(event="kept")
                self._kept = True
        if not self._kept:
            self._stop.set()

    async def _inject(self, incident: str, instance: str) -> None:
        if self._fleet is None:
            return
        try:
            running = await asyncio.to_thread(self._fleet.inject, incident, instance)
        except LabError as error:
            self._tell(event="failed", text=str(error))
            return
        self._tell(event="injected", title=running.title, **running.truth.to_json())

    def _tell_mesh(self, event: MeshEvent) -> None:
        self._tell(event=event.event, service=event.service, text=event.text)

    def _tell(self, **event: Any) -> None:
        if not self._kept:
            # Whoever listened may be gone; that ends the stage by way of its input.
            with suppress(BrokenPipeError):
                os.write(sys.stdout.fileno(), json.dumps(event).encode() + b"\n")


def main() -> None:
    """Run a stage in the folder that the first argument names, with replicas of the instances that follow."""
    try:
        asyncio.run(Stage(Path(sys.argv[1]), sys.argv[2:]).run())
    except (LabError, OSError) as error:
        print(json.dumps({"event": "failed", "text": str(error)}), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
