"""One fleet of real databases with a mesh over it, started by the command itself, for all journeys of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex, running_mesh

RECORDED_AFTER = "eu-central-1"
"""The region that has a snapshot made at the end of an investigation."""


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        document = yaml.safe_load(running.config_path.read_text())
        document["regions"][RECORDED_AFTER]["snapshots"] = {"after_investigation": True}
        running.config_path.write_text(yaml.safe_dump(document))
        yield running


@pytest.fixture(scope="package")
def storex(fleet: LabFleet) -> Iterator[Storex]:
    with running_mesh(fleet.config_path) as command:
        yield command
