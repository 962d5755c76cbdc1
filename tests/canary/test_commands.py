"""Every command that reads, as everybody, in every form of output."""

from __future__ import annotations

import pytest

from libs.sensitivity.classes import PRINCIPAL, SCHEMA
from tests.canary.commands import lines_for, reading_commands, run_line
from tests.canary.garden import ROLES, Garden
from tests.canary.markers import Sighting, seen, sightings


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("thorough", [False, True], ids=["short", "thorough"])
def test_what_commands_print(garden: Garden, role: str, thorough: bool) -> None:
    printed, leaks, worked = b"", dict[str, set[Sighting]](), set[str]()
    for words, command in reading_commands().items():
        for line in lines_for(words, command, role, thorough=thorough):
            status, output = run_line(line, garden.config)
            found = {sighting for sighting in sightings(output) if sighting.sensitivity not in ROLES[role].clear}
            if found:
                leaks[" ".join(line)] = found
            if status == 0:
                worked.add(words)
            printed += output
    assert not leaks
    assert {"status", "lab list", *(["fleet"] if ROLES[role].roles else [])} <= worked
    if SCHEMA in ROLES[role].clear:
        assert {"ask", "diag"} <= worked
        assert seen(printed, SCHEMA)
    assert bool(seen(printed, PRINCIPAL)) == (PRINCIPAL in ROLES[role].clear)
