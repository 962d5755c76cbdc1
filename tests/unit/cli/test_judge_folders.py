"""Scenarios whose worlds are files: what is taken in, and that nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from libs.cli.judge.folders import add_scenarios
from libs.cli.session import Place
from libs.client import CallError, StorexClient
from storex.judge.v1.judge_pb2 import ListScenariosResponse, PutScenarioResponse
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import (
    SNAPSHOT_TRIGGER_DEMAND,
    SNAPSHOT_TRIGGER_IMPORT,
    GetSnapshotResponse,
    ImportSnapshotResponse,
    Snapshot,
)

INSTANCE = "regions/lab/instances/orders-1"


@dataclass
class FakeMesh:
    """A judge and a shard, as far as scenarios of a folder go; the content of a file is its digest."""

    folder: Path
    refuses: str = ""
    worlds: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Snapshot] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.imports.mkdir(parents=True)
        self.judge = SimpleNamespace(PutScenario=self.put, ListScenarios=self.listed)
        self.snapshots = SimpleNamespace(ImportSnapshot=self.take_in, GetSnapshot=self.get, DeleteSnapshot=self.delete)

    @property
    def imports(self) -> Path:
        return self.folder / "state" / "shards" / "lab" / "snapshots" / "imports"

    def call(self, method: Callable[[Any], Any], request: Any) -> Any:
        return method(request)

    def put(self, request: Any) -> PutScenarioResponse:
        if request.scenario.scenario_id == self.refuses:
            raise CallError("REQUEST_INVALID", "INVALID_ARGUMENT", "No.")
        self.worlds[request.scenario.scenario_id] = request.scenario.world
        return PutScenarioResponse(scenario=request.scenario)

    def listed(self, _request: Any) -> ListScenariosResponse:
        return ListScenariosResponse(scenarios=[Scenario(scenario_id=k, world=v) for k, v in self.worlds.items()])

    def take_in(self, request: Any) -> ImportSnapshotResponse:
        self.made += 1
        self.files.append(request.file_name)
        content = (self.imports / request.file_name).read_text()
        name = f"{request.name}/snapshots/s{self.made}"
        self.kept[name] = Snapshot(name=name, sha256=content, trigger=SNAPSHOT_TRIGGER_IMPORT)
        return ImportSnapshotResponse(snapshot=self.kept[name])

    def get(self, request: Any) -> GetSnapshotResponse:
        return GetSnapshotResponse(snapshot=self.kept[request.name])

    def delete(self, request: Any) -> None:
        del self.kept[request.name]

    def add(self, *scenarios: Scenario) -> list[Scenario]:
        place = Place(self.folder / "state", None)
        return list(add_scenarios(cast("StorexClient", self), place, list(scenarios), self.folder, INSTANCE))


@pytest.fixture
def mesh(tmp_path: Path) -> FakeMesh:
    for name in ("a", "b"):
        (tmp_path / f"{name}.world").write_text(f"world of {name}")
    return FakeMesh(tmp_path)


def of(name: str) -> Scenario:
    return Scenario(scenario_id=name, world=f"{name}.world")


def test_a_scenario_that_is_refused_leaves_no_snapshot_and_keeps_those_before_it(mesh: FakeMesh) -> None:
    mesh.refuses = "b"
    with pytest.raises(CallError):
        mesh.add(of("a"), of("b"))
    assert list(mesh.kept) == [mesh.worlds["a"]]
    assert list(mesh.worlds) == ["a"]


def test_what_is_added_again_is_the_same_world_and_a_new_one_takes_the_old_ones_place(mesh: FakeMesh) -> None:
    mesh.add(of("a"), of("b"))
    before = dict(mesh.worlds)
    mesh.add(of("a"), of("b"))
    assert mesh.worlds == before, "runs over it go on to be readable"
    assert set(mesh.kept) == set(before.values())
    (mesh.folder / "a.world").write_text("another one")
    mesh.add(of("a"))
    assert mesh.worlds["a"] != before["a"]
    assert set(mesh.kept) == set(mesh.worlds.values())


def test_a_snapshot_that_was_not_taken_in_or_has_another_scenario_is_left_alone(mesh: FakeMesh) -> None:
    made = f"{INSTANCE}/snapshots/made"
    mesh.kept[made] = Snapshot(name=made, sha256="x", trigger=SNAPSHOT_TRIGGER_DEMAND)
    mesh.worlds["a"] = made
    mesh.add(of("a"))
    assert made in mesh.kept
    shared = mesh.worlds["c"] = mesh.worlds["a"]
    (mesh.folder / "a.world").write_text("another one")
    mesh.add(of("a"))
    assert shared in mesh.kept


def test_copies_of_one_name_do_not_meet_and_a_source_in_the_folder_of_imports_stays(mesh: FakeMesh) -> None:
    lying = mesh.imports / "a.world"
    lying.write_text("somebody's")
    mesh.add(of("a"))
    assert lying.read_text() == "somebody's"
    place = Place(mesh.folder / "state", None)
    list(add_scenarios(cast("StorexClient", mesh), place, [of("a")], lying.parent, INSTANCE))
    assert lying.read_text() == "somebody's"
    assert len(set(mesh.files)) == 2
    assert [path.name for path in mesh.imports.iterdir()] == ["a.world"]
