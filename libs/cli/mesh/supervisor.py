"""Starts a planned mesh, keeps it running, tells what happens, and takes it down."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from libs.cli.mesh.child import READY, WAITING, Child
from libs.cli.mesh.plan import free_ports, plan_mesh
from libs.cli.mesh.readiness import wait_regions
from libs.cli.mesh.state import MeshDirectory, MeshState
from libs.cli.mesh.tokens import TokenRotation
from libs.config import ADMIN, StorexConfig
from libs.identity import LocalIssuer

REGIONS_SECONDS = 5.0
"""How long a mesh whose services are all ready may go on before every region has been heard of."""


@dataclass(frozen=True, slots=True)
class MeshEvent:
    """Something to tell the person who watches: a service is ready, or ended and why, or the whole mesh is ready."""

    event: str
    service: str = ""
    text: str = ""


class Supervisor:
    """A mesh of processes. Hold its state directory (`MeshDirectory.hold`) while it runs."""

    def __init__(self, config: StorexConfig, directory: MeshDirectory, tell: Callable[[MeshEvent], None]) -> None:
        self._config = config
        self._directory = directory
        self._tell = tell
        self._plan = plan_mesh(config, free_ports())
        self._issuer = LocalIssuer.open(config.state_dir)
        self._tokens = TokenRotation(self._issuer, self._plan.services)
        self._children = [Child(spec, self._child_changed) for spec in self._plan.services]
        self._state = "starting"
        self._started_at = time.time()

    @property
    def coordinator(self) -> str:
        """The front door's address."""
        return self._plan.coordinator

    async def run(self, stop: asyncio.Event) -> None:
        """Run the mesh until `stop` is set; on return every process is gone. Raises OSError when it cannot start."""
        self._tokens.write()
        self._publish()
        children = [asyncio.create_task(child.keep_running()) for child in self._children]
        others = [asyncio.create_task(job) for job in (self._announce_ready(), self._tokens.keep_fresh())]
        stopping = asyncio.create_task(stop.wait())
        try:
            # A child's task ends only by failing to start a process at all.
            done, _ = await asyncio.wait([stopping, *children], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._state = "stopping"
            self._publish()
            for task in (*children, *others, stopping):
                task.cancel()
            await asyncio.gather(*children, *others, stopping, return_exceptions=True)
        for task in done - {stopping}:
            task.result()

    async def _announce_ready(self) -> None:
        for child in self._children:
            await child.ready.wait()
        # A coordinator that has not yet heard of a shard would answer the first question with a retryable error.
        with suppress(TimeoutError):
            await asyncio.wait_for(wait_regions(self.coordinator, self._admin_token), REGIONS_SECONDS)
        self._state = "ready"
        self._publish()
        self._tell(MeshEvent("mesh_ready", text=self.coordinator))

    def _admin_token(self) -> str:
        return self._issuer.issue_user(ADMIN.name, ADMIN.teams, ADMIN.roles, REGIONS_SECONDS)

    def _child_changed(self, child: Child) -> None:
        self._publish()
        if child.state == READY:
            self._tell(MeshEvent("service_ready", child.spec.name, child.spec.address))
        elif child.state == WAITING:
            self._tell(MeshEvent("service_exited", child.spec.name, child.last_exit))

    def _publish(self) -> None:
        self._directory.write(
            MeshState(
                state=self._state,
                pid=os.getpid(),
                config=str(self._config.path),
                coordinator=self.coordinator,
                started_at=self._started_at,
                services=tuple(child.snapshot() for child in self._children),
            )
        )
