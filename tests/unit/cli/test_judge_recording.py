"""Recording incidents: one that fails costs only itself, and what is recorded is written and let go of at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.cli.failures import CommandError
from libs.cli.judge import recording
from libs.client import CallError
from libs.lab import engines
from libs.lab.errors import IncidentError
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import Snapshot

FAILURES = {
    "lock.row_blocker": IncidentError("did not come about"),
    "lock.metadata": CommandError("The mesh does not see it."),
    "query.heavy_scan": CallError("SHARD_UNAVAILABLE", "UNAVAILABLE", "No answer."),
}


_record = recording.record


class QuietMesh(recording.LabMesh):
    """A mesh that nothing is started for."""

    def client(self) -> Any:
        return threading.Lock()  # a context manager is all that is wanted of it

    def _storex(self, *words: str) -> None:
        pass


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QuietMesh:
    made = QuietMesh(tmp_path / "mesh")
    made.folder.mkdir()
    binary = SimpleNamespace(kind="MariaDB")
    monkeypatch.setattr(recording, "lab_mesh", lambda: made)
    monkeypatch.setattr(engines, "require_engines", lambda: [binary])

    def record(mesh: QuietMesh, incident: Any, _binary: Any, place: int) -> Scenario:
        if incident.id in FAILURES:
            raise FAILURES[incident.id]
        mesh._instances[f"db-{place}"] = {"host": "127.0.0.1"}
        return Scenario(scenario_id=incident.id, world=f"regions/lab/instances/db-{place}/snapshots/s")

    monkeypatch.setattr(recording, "record", record)
    return made


def test_what_was_recorded_is_written_whatever_becomes_of_the_others(
    mesh: QuietMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_client: Any, _place: Any, scenario: Scenario, folder: Path) -> Path:
        return folder / f"{scenario.scenario_id}.yaml"

    monkeypatch.setattr(recording, "write_scenario", write)
    told: list[str] = []
    names = ["healthy", *FAILURES, "query.missing_index"]
    written, asked = recording.record_into(tmp_path, names, "", 1, told.append)
    assert [path.stem for path in written] == ["healthy", "query.missing_index"]
    assert asked == 5
    for name, failure in FAILURES.items():
        assert f"{name}: {failure}" in told


def test_a_scenarios_server_is_let_go_of_as_soon_as_it_is_written(
    mesh: QuietMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[list[str]] = []

    def write(_client: Any, _place: Any, _scenario: Scenario, folder: Path) -> Path:
        left.append(sorted(mesh._instances))
        return folder

    monkeypatch.setattr(recording, "write_scenario", write)
    recording.record_into(tmp_path, ["healthy", "query.missing_index"], "", 1, lambda _: None)
    assert left == [["db-0"], ["db-1"]], "it is there while its world is copied, and no longer"
    assert not mesh._instances


class Shard:
    """A client of a region that has this much time to read for each snapshot that is asked of it."""

    snapshots = SimpleNamespace(CreateSnapshot="create", DeleteSnapshot="delete")

    def __init__(self, *missing: str) -> None:
        self.missing, self.deleted = list(missing), list[str]()

    def call(self, method: str, request: Any) -> Any:
        if method == "delete":
            self.deleted.append(request.name)
            return None
        source = self.missing.pop(0)
        made = Snapshot(name=f"without {source}")
        if source:
            made.limits.add(source=source, code="NOT_CAPTURED")
        return SimpleNamespace(snapshot=made)


def test_a_world_that_lacks_something_is_recorded_anew_and_left_nowhere() -> None:
    shard = Shard("digests", "")
    assert recording._whole_world(cast(Any, shard), "db-1").name == "without "
    assert shard.deleted == ["without digests"]


def test_a_machine_that_is_too_busy_for_a_whole_world_is_told_what_is_missing() -> None:
    shard = Shard("digests", "locks", "digests")
    with pytest.raises(CommandError, match="missing: digests"):
        recording._whole_world(cast(Any, shard), "db-1")
    assert len(shard.deleted) == 3


def test_one_that_cannot_be_written_is_told_and_costs_the_others_nothing(
    mesh: QuietMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_client: Any, _place: Any, scenario: Scenario, folder: Path) -> Path:
        if scenario.scenario_id == "healthy":
            raise CallError("SHARD_UNAVAILABLE", "UNAVAILABLE", "No answer.")
        return folder / scenario.scenario_id

    monkeypatch.setattr(recording, "write_scenario", write)
    told: list[str] = []
    written, _ = recording.record_into(tmp_path, ["healthy", "query.missing_index"], "", 1, told.append)
    assert [path.name for path in written] == ["query.missing_index"]
    assert "healthy: No answer." in told


def test_a_server_whose_incident_failed_is_let_go_of_too(mesh: QuietMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def at_work(*_: Any) -> Iterator[tuple[None, str]]:
        yield None, "orders-1"

    def serve(slug: str, *_: Any) -> str:
        mesh._instances |= {slug: {}, f"{slug}-source": {}}
        raise CommandError("The mesh does not see it.")

    monkeypatch.setattr(recording, "at_work", at_work)
    monkeypatch.setattr(mesh, "serve", serve, raising=True)
    with pytest.raises(CommandError):
        _record(mesh, cast("Any", None), cast("Any", None), 0)
    assert not mesh._instances
