"""Scenarios in a folder with their worlds beside them, so that they can be kept with code and added to any lab's mesh.

A scenario's `world` is then the name of a file: `ID.yaml` and `ID.world`. Only made-up data gets into such a folder:
a shard writes and reads plain copies in regions that say `lab: true`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import yaml
from google.protobuf.json_format import MessageToDict

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.past import full_name
from libs.cli.session import Place
from libs.cli.snapshot_copies import copy_out, take_in
from libs.client import CallError, StorexClient
from storex.judge.v1.judge_pb2 import ListScenariosRequest, PutScenarioRequest
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import (
    SNAPSHOT_TRIGGER_IMPORT,
    DeleteSnapshotRequest,
    GetSnapshotRequest,
    Snapshot,
)

WORLD = ".world"


def write_scenario(client: StorexClient, place: Place, scenario: Scenario, folder: Path) -> Path:
    """Write a scenario that the mesh has the world of; returns its YAML file. Raises CallError and CommandError."""
    folder.mkdir(parents=True, exist_ok=True)
    world = folder / f"{scenario.scenario_id}{WORLD}"
    copy_out(client, place, scenario.world, world, in_plain=True)
    world.chmod(0o644)  # made up, and to be kept with code
    written = MessageToDict(scenario, preserving_proto_field_name=True) | {"world": world.name}
    path = world.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    return path


def add_scenarios(
    client: StorexClient, place: Place, scenarios: list[Scenario], folder: Path, instance: str
) -> Iterator[Scenario]:
    """Add scenarios one by one, with their worlds taken in as snapshots of an instance where these are files.

    No snapshot is left that no scenario names: not of a scenario that is refused, nor of one that is replaced. Raises
    CallError, and CommandError before anything is added where one is a file that is not there or no instance is named.
    """
    filed = [scenario for scenario in scenarios if is_file_name(scenario.world)]
    if filed and not instance:
        message = f"The world of {filed[0].scenario_id} is the file {filed[0].world}."
        raise CommandError(message, "Name an instance of a lab with --instance NAME.", ExitStatus.USAGE)
    if missing := [scenario.world for scenario in filed if not (folder / scenario.world).is_file()]:
        raise CommandError(f"There is no file {folder / missing[0]}.", status=ExitStatus.USAGE)
    name = full_name(client, instance) if filed else ""
    known = _worlds(client) if filed else {}
    for scenario in scenarios:
        if not is_file_name(scenario.world):
            yield _put(client, scenario)
            continue
        before = known.get(scenario.scenario_id, "")
        mine = list(known.values()).count(before) == 1
        made = take_in(client, place, name, folder / scenario.world)
        yield _put_taken_in(client, scenario, made, _taken_in_before(client, before) if mine else None)


def _put_taken_in(client: StorexClient, scenario: Scenario, made: Snapshot, before: Snapshot | None) -> Scenario:
    """Add a scenario whose world has just been taken in; `before` is what it had as a world of its own."""
    same = before is not None and (before.sha256, _instance_of(before)) == (made.sha256, _instance_of(made))
    world, other = (before, made) if before is not None and same else (made, before)
    scenario.world = world.name
    try:
        kept = _put(client, scenario)
    except BaseException:
        _delete(client, made)
        raise
    if other is not None:
        _delete(client, other)
    return kept


def _put(client: StorexClient, scenario: Scenario) -> Scenario:
    return client.call(client.judge.PutScenario, PutScenarioRequest(scenario=scenario)).scenario


def _worlds(client: StorexClient) -> dict[str, str]:
    """The worlds of the scenarios that there are, by their ids."""
    found: dict[str, str] = {}
    request = ListScenariosRequest(page_size=1000)
    while True:
        page = client.call(client.judge.ListScenarios, request)
        found.update((scenario.scenario_id, scenario.world) for scenario in page.scenarios)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def _taken_in_before(client: StorexClient, world: str) -> Snapshot | None:
    """The snapshot of that name if it was taken in from a file; one that somebody made is left alone."""
    if not world:
        return None
    found = client.call(client.snapshots.GetSnapshot, GetSnapshotRequest(name=world)).snapshot
    return found if found.trigger == SNAPSHOT_TRIGGER_IMPORT else None


def _instance_of(snapshot: Snapshot) -> str:
    return snapshot.name.partition("/snapshots/")[0]


def _delete(client: StorexClient, snapshot: Snapshot) -> None:
    """Delete a snapshot that nothing names, where the caller may; it goes by its age otherwise."""
    with suppress(CallError):
        client.call(client.snapshots.DeleteSnapshot, DeleteSnapshotRequest(name=snapshot.name))


def is_file_name(world: str) -> bool:
    """Whether a scenario's world is a file, and not yet a snapshot of a mesh."""
    return world.endswith(WORLD) and not world.startswith("regions/")
