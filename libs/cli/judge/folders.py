"""Scenarios in a folder with their worlds beside them, so that they can be kept with code and added to any lab's mesh.

A scenario's `world` is then the name of a file: `ID.yaml` and `ID.world`. Only made-up data gets into such a folder:
a shard writes and reads plain copies in regions that say `lab: true`, and nowhere else.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from google.protobuf.json_format import MessageToDict

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.past import full_name
from libs.cli.session import Place
from libs.cli.snapshot_copies import copy_out, take_in
from libs.client import StorexClient
from storex.judge.v1.scenario_pb2 import Scenario

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


def with_worlds(
    client: StorexClient, place: Place, scenarios: list[Scenario], folder: Path, instance: str
) -> list[Scenario]:
    """The scenarios with their worlds taken in as snapshots of an instance, where these are files of the folder.

    Raises CallError, and CommandError where one is a file and no instance is named.
    """
    filed = [scenario for scenario in scenarios if is_file_name(scenario.world)]
    if filed and not instance:
        message = f"The world of {filed[0].scenario_id} is the file {filed[0].world}."
        raise CommandError(message, "Name an instance of a lab with --instance NAME.", ExitStatus.USAGE)
    if missing := [scenario.world for scenario in filed if not (folder / scenario.world).is_file()]:
        raise CommandError(f"There is no file {folder / missing[0]}.", status=ExitStatus.USAGE)
    name = full_name(client, instance) if filed else ""
    for scenario in filed:
        scenario.world = take_in(client, place, name, folder / scenario.world).name
    return scenarios


def is_file_name(world: str) -> bool:
    """Whether a scenario's world is a file, and not yet a snapshot of a mesh."""
    return world.endswith(WORLD) and not world.startswith("regions/")
