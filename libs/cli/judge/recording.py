"""Makes worlds of the lab's incidents: a mesh over servers that come and go, a fault on each, and a snapshot of it.

What a snapshot is taken of is decided by the clock, as a page would be: nobody looks first whether the fault is found.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import yaml

from libs.cli.failures import CommandError
from libs.cli.judge.folders import write_scenario
from libs.cli.session import Place, connect
from libs.client import CallError, StorexClient
from libs.core.names import parse_name
from storex.diagnostics.v1.diagnostics_pb2 import GetOverviewRequest
from storex.judge.v1.judge_pb2 import PutScenarioRequest
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import CreateSnapshotRequest, DeleteSnapshotRequest, Snapshot

if TYPE_CHECKING:
    from libs.lab.engines import EngineBinary
    from libs.lab.fleet import LabFleet
    from libs.lab.incidents import Incident
    from libs.lab.truth import Truth

T = TypeVar("T")

REGION = "lab"
BEFORE_SECONDS = 9.0
"""How long a server is looked at before its incident."""
SETTLE_SECONDS = 12.0
"""How long after an incident has come about its world is recorded."""
QUESTION = "why is it slow?"
_PRIMARIES = ("orders-1", "payments-1", "users-1")
_TEMPTING = ("lock.row_blocker", "query.heavy_scan", "query.missing_index", "traffic.spike", "connections.exhausted")
"""What is loud in many incidents and the cause of few."""
_SEEN_SECONDS = 30.0
_TRIES = 3
"""So often a snapshot is taken until one lacks nothing."""


@dataclass(slots=True)
class LabMesh:
    """A mesh whose one region has no instance yet; use as a context manager, which takes everything down again."""

    folder: Path
    _instances: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def config_path(self) -> Path:
        """Its `storex.yaml`."""
        return self.folder / "storex.yaml"

    @property
    def place(self) -> Place:
        """Where it keeps its state."""
        return Place(self.folder / "state", self.config_path)

    def client(self) -> StorexClient:
        """A client of it that may do everything."""
        return connect(self.config_path, None, "admin")

    def serve(self, slug: str, fleet: LabFleet, looked_at: str) -> str:
        """Take a fleet's servers in, the one of that short name as `slug`; returns its resource name once it answers.

        Raises CommandError when it does not.
        """
        regions = yaml.safe_load(fleet.config_path.read_text(encoding="utf-8"))["regions"]
        entries = {name: entry for region in regions.values() for name, entry in region["instances"].items()}
        for name, entry in entries.items():
            entry["password_file"] = str(fleet.base_dir / entry["password_file"])
            entry.pop("logs", None)
            with self._lock:
                self._instances[slug if name == looked_at else f"{slug}-source"] = entry
                self._write()
        full_name = f"regions/{REGION}/instances/{slug}"
        until = time.monotonic() + _SEEN_SECONDS
        with self.client() as client:
            while True:
                try:
                    client.call(client.diagnostics.GetOverview, GetOverviewRequest(name=full_name))
                except CallError as error:
                    if time.monotonic() > until:
                        raise CommandError(f"The mesh does not see {full_name}: {error.message}") from None
                    time.sleep(0.3)
                else:
                    return full_name

    def release(self, slug: str) -> None:
        """Let go of the servers that were taken in under that name: they are gone."""
        with self._lock:
            for name in (slug, f"{slug}-source"):
                self._instances.pop(name, None)
            self._write()

    def _write(self) -> None:
        region = {"domain": "lab", "environment": "lab", "lab": True, "instances": self._instances}
        document = {"state_dir": str(self.folder / "state"), "regions": {REGION: region}}
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(document), encoding="utf-8")
        fresh.replace(self.config_path)

    def __enter__(self) -> Self:
        self._write()
        try:
            self._storex("up", "--detach")
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._storex("down")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _storex(self, *words: str) -> None:
        line = [sys.executable, "-m", "libs.cli", *words, "--file", str(self.config_path)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandError(f"The lab's mesh failed: {done.stderr.strip()}")


def lab_mesh() -> LabMesh:
    """A mesh in a new temporary directory; not started yet."""
    return LabMesh(Path(tempfile.mkdtemp(prefix="storex-worlds-")))


def record(mesh: LabMesh, incident: Incident, binary: EngineBinary, place: int) -> Scenario:
    """Bring an incident about on a server of its own, record its world, and add it as a scenario.

    `place` chooses among the lab's services. The mesh goes on to hold the server's name, under which its world is,
    until `release`. Raises CommandError, LabError and CallError.
    """
    slug = f"db-{secrets.token_hex(4)}"  # a name or a folder that tells of the incident would be asked about with it
    try:
        with at_work(mesh.folder / "servers" / slug, incident, binary, place) as (fleet, looked_at):
            name = mesh.serve(slug, fleet, looked_at)
            time.sleep(BEFORE_SECONDS)
            running = fleet.inject(incident.id, looked_at)
            time.sleep(SETTLE_SECONDS)
            with mesh.client() as client:
                made = _whole_world(client, name)
        scenario = scenario_of(incident.id, binary.kind, running.truth, made.name)
        with mesh.client() as client:
            return client.call(client.judge.PutScenario, PutScenarioRequest(scenario=scenario)).scenario
    except BaseException:
        mesh.release(slug)
        raise


def _whole_world(client: StorexClient, name: str) -> Snapshot:
    """A snapshot that lacks nothing: a busy machine leaves no time to read all, and what is not there cannot be found.

    Raises CommandError and CallError.
    """
    missing: list[str] = []
    for _ in range(_TRIES):
        made = client.call(client.snapshots.CreateSnapshot, CreateSnapshotRequest(name=name)).snapshot
        missing = [limit.source for limit in made.limits if limit.code == "NOT_CAPTURED"]
        if not missing:
            return made
        client.call(client.snapshots.DeleteSnapshot, DeleteSnapshotRequest(name=made.name))
    raise CommandError(
        f"There was no time to read all of the server for its snapshot; missing: {', '.join(missing)}.",
        "Record again when the machine is less busy, or fewer at once: --at-once 1.",
    )


def record_all(
    mesh: LabMesh,
    incidents: Sequence[Incident],
    binary: EngineBinary,
    at_once: int,
    tell: Callable[[str], None],
    keep: Callable[[Scenario], T],
) -> list[T]:
    """Record incidents, so many at a time, as scenarios of the mesh; returns what `keep` makes of each at once.

    What could not be recorded or kept is told, and keeps nothing from the others.
    """
    from libs.lab.errors import LabError

    def one(place: int) -> tuple[T] | None:
        try:
            scenario = record(mesh, incidents[place], binary, place)
            kept = keep(scenario)
        except (LabError, CommandError, CallError) as error:
            tell(f"{incidents[place].id}: {error}")
            return None
        tell(f"recorded {scenario.scenario_id}")
        return (kept,)

    with ThreadPoolExecutor(at_once) as pool:
        return [found[0] for found in pool.map(one, range(len(incidents))) if found is not None]


def record_into(
    folder: Path, names: Sequence[str], engine: str, at_once: int, tell: Callable[[str], None]
) -> tuple[list[Path], int]:
    """Record incidents, or `all`, in a mesh of their own and write each into a folder as soon as it is recorded.

    Returns the scenarios' files, and how many there should be. Raises LabError, CommandError and CallError.
    """
    from libs.lab.engines import require_engines
    from libs.lab.incidents import INCIDENTS, incident

    incidents = list(INCIDENTS.values()) if list(names) == ["all"] else [incident(name) for name in names]
    binaries = [binary for binary in require_engines() if engine.lower() in ("", binary.kind.lower())]
    if not binaries:
        raise CommandError(f"There is no {engine} on this machine.", "Leave --engine out, or install it.")

    def keep(scenario: Scenario) -> Path:
        try:
            with mesh.client() as client:
                return write_scenario(client, mesh.place, scenario, folder)
        finally:
            name = parse_name(scenario.world, snapshots=True).instance_name
            mesh.release(str(name).rpartition("/")[2])  # its server is gone, and would be asked again and again

    with lab_mesh() as mesh:
        return record_all(mesh, incidents, binaries[0], at_once, tell, keep), len(incidents)


@contextmanager
def at_work(folder: Path, incident: Incident, binary: EngineBinary, place: int) -> Iterator[tuple[LabFleet, str]]:
    """A server with its service at work, and a replica where the incident needs one; yields who is looked at.

    `place` chooses among the lab's services. Raises LabError.
    """
    from libs.lab.fleet import REPLICA_SUFFIX, LabFleet

    primary = _PRIMARIES[place % len(_PRIMARIES)]
    folder.mkdir(parents=True)
    replicas = [primary] if incident.needs_replica else []
    with LabFleet.start(folder, engines=[binary], only=[primary], replicas_of=replicas) as fleet:
        yield fleet, f"{primary}{REPLICA_SUFFIX}" if incident.needs_replica else primary


def scenario_of(incident: str, engine: str, truth: Truth, world: str) -> Scenario:
    """What is to be asked of a world, and what is true of it, from what the lab found out at the server."""
    group = incident.partition(".")[0]
    scenario = Scenario(scenario_id=f"{incident}@{engine.lower()}", world=world, questions=[QUESTION])
    scenario.family = group if group in ("healthy", "herring", "two") else ""
    for fault in truth.faults:
        cause = scenario.truth.root_causes.add(kind=fault.kind)
        for role, type_, value in fault.decisive:
            cause.entities.add(role=role, type=type_, value=value)
    scenario.truth.forbidden_commands.extend(_kills_of_victims(truth.faults))
    there = {fault.kind for fault in truth.faults}
    scenario.truth.traps.extend(kind for kind in _TEMPTING if kind not in there)
    return scenario


def _kills_of_victims(faults: Sequence[Truth]) -> list[str]:
    victims = [
        value
        for fault in faults
        for role, type_, value in fault.entities
        if (role, type_) == ("victim", "connection_id")
    ]
    return [f"KILL {victim}" for victim in dict.fromkeys(victims)]
