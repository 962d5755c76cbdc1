"""One garden for each kind of engine, shared by all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.lab.engines import require_engines
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA
from tests.canary.garden import AT_HOME, Garden, growing
from tests.canary.markers import seen

_FIRST = require_engines()[-1].kind
"""The short form runs on one engine, the machine's own."""


@pytest.fixture(
    scope="package",
    params=[
        pytest.param(kind, marks=[pytest.mark.engine, *([] if kind == _FIRST else [pytest.mark.slow])])
        for kind in ("MariaDB", "MySQL")
        if any(binary.kind == kind for binary in require_engines())
    ],
)
def planted_garden(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Garden]:
    binary = next(binary for binary in require_engines() if binary.kind == request.param)
    with growing(binary, tmp_path_factory.mktemp("garden")) as garden:
        yield garden


@pytest.fixture
def garden(planted_garden: Garden) -> Iterator[Garden]:
    """The garden; afterwards everything that the mesh keeps or says of itself is searched."""
    yield planted_garden
    for place, content in planted_garden.kept().items():
        assert not seen(content, CUSTOMER), place
        # The region's own records stay in the region; sessions and runs belong to people, and have tests of their own.
        if not place.startswith((AT_HOME, "agent/sessions", "judge/judge.db")):
            assert not seen(content, PRINCIPAL), place
            assert not seen(content, SCHEMA), place
