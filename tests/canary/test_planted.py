"""The suite can fail: what it looks for is really there to be leaked."""

from __future__ import annotations

import time

from tests.canary.evidence import missing
from tests.canary.garden import Garden
from tests.canary.markers import sightings


def test_every_canary_is_visible_in_the_engines_own_sources(garden: Garden) -> None:
    until = time.monotonic() + 10
    while (absent := missing(garden.engine)) and time.monotonic() < until:
        time.sleep(0.5)
    assert not absent


def test_the_engines_directory_is_full_of_them(garden: Garden) -> None:
    assert sightings(garden.engine.slow_log.read_bytes())
