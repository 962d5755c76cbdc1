"""A fleet of real databases with a mesh of real processes over it, for the benches that measure the whole."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.cli.mesh.state import MeshDirectory, MeshState
from libs.config import load_config
from libs.identity import LocalIssuer
from libs.lab.fleet import LabFleet
from tests.bench.engines import cpu_seconds

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class BenchMesh:
    """A running mesh: its fleet, its state as `storex status` reads it, and its issuer."""

    fleet: LabFleet
    state: MeshState
    issuer: LocalIssuer

    def address_of(self, service: str) -> str:
        """Where a service listens, as host:port."""
        return next(child.address for child in self.state.services if child.name == service)

    def cpu_seconds(self, service: str) -> float:
        """User and system time that a service's process has used since it started."""
        return cpu_seconds(next(child.pid for child in self.state.services if child.name == service) or 0)

    def administrator_token(self) -> str:
        """A token of the seeded administrator."""
        return self.issuer.issue_user("admin", (), ("dba",))


@contextmanager
def running_mesh() -> Iterator[BenchMesh]:
    """Start a fleet and a mesh; both are gone when the context ends."""
    with tempfile.TemporaryDirectory(prefix="storex-bench-") as folder, LabFleet.start(Path(folder)) as fleet:
        command = [sys.executable, "-m", "libs.cli"]
        config = load_config(fleet.config_path)
        subprocess.run(
            [*command, "up", "--detach", "-f", str(fleet.config_path)],
            check=True,
            timeout=START_SECONDS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            state = MeshDirectory(config.state_dir).read()
            if state is None:
                raise RuntimeError("The mesh went down while it was starting; see the logs in its state directory.")
            yield BenchMesh(fleet, state, LocalIssuer.open(config.state_dir))
        finally:
            subprocess.run(
                [*command, "down", "-f", str(fleet.config_path)],
                check=True,
                timeout=START_SECONDS,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
