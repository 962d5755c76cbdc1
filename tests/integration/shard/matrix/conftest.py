"""The engines of the matrix."""

from __future__ import annotations

import pytest

from libs.lab.engines import EngineBinary, require_engines


@pytest.fixture(params=require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def binary(request: pytest.FixtureRequest) -> EngineBinary:
    """Each kind of server that this machine has."""
    found: EngineBinary = request.param
    return found
