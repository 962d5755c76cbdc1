"""One fleet of real databases with a mesh over it, started by the command itself, for all journeys of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex, running_mesh


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="package")
def storex(fleet: LabFleet) -> Iterator[Storex]:
    with running_mesh(fleet.config_path) as command:
        yield command
