"""Files that change under a live mesh: all or nothing, and loud when they are refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.access.conftest import EGRESS, AccessMesh
from tests.e2e.access.expected import INSTANCES

pytestmark = pytest.mark.engine

VERA = ("--as", "payments-viewer")
GOOD = "p, user:payments-viewer, instance=orders-1, *, schema, never, allow\n"
BAD = {
    "an RPC that there is not": "p, role:dba, *, storex.fleet.v1.FleetService/DropInstance, public, never, allow\n",
    "a permission that there is not": "p, role:dba, *, fleet.write, public, never, allow\n",
    "a role that nobody declared": "p, role:wizard, *, fleet.read, public, never, allow\n",
    "a class that there is not": "p, role:dba, *, fleet.read, secret, never, allow\n",
    "a class that no policy gives": "p, role:dba, *, fleet.read, customer, never, allow\n",
    "no rule at all": "\x00\x01\x02\n",
    "half a line": "p, role:dba, *, fleet.read",
    "a role that is declared elsewhere": "role, auditor, Somebody else's\n",
}
SOME_AND_REST = [
    pytest.param(name, marks=[pytest.mark.slow] if name != "a role that nobody declared" else []) for name in BAD
]
BAD_EGRESS = {
    "a role that policy does not know": "domains: {gdpr: {roles: {wizard: clear}}}",
    "a domain without a region": "domains: {mars: {others: clear}}",
    "a treatment that there is not": "domains: {gdpr: {others: open}}",
    "half a file": "domains: {gdpr: {others: cle",
}


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def in_force(mesh: AccessMesh, source: str) -> dict[str, tuple[str, int]]:
    """By service: the version that it goes by, and the problems of what it refused."""
    return {
        service["name"]: (files["version"], files["problems"])
        for service in mesh.storex.json("status")["services"]
        for files in service["in_force"] or ()
        if files["source"] == source
    }


def sees(mesh: AccessMesh, instance: str) -> bool:
    return mesh.storex.run("diag", "overview", INSTANCES[instance], *VERA).status == 0


@contextmanager
def file(path: Path, text: str) -> Iterator[None]:
    """The file with other content, for as long as the block lasts."""
    before = path.read_text() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_text(before)


def check_refused(mesh: AccessMesh, source: str, path: Path, text: str) -> None:
    before = in_force(mesh, source)
    logs = {name: mesh.logs[name].stat().st_size for name in before}
    with file(path, text):
        until(lambda: all(problems for _, problems in in_force(mesh, source).values()))
        assert {name: version for name, (version, _) in in_force(mesh, source).items()} == {
            name: version for name, (version, _) in before.items()
        }
        assert (sees(mesh, "payments-1"), sees(mesh, "orders-1")) == (True, False)
        shown = mesh.storex.run("status").stdout
        for name in before:
            assert f"{name} refused newer {source} files and goes by {before[name][0]}" in " ".join(shown.split())
            with mesh.logs[name].open() as log:
                log.seek(logs[name])
                assert any("stays in force" in line and '"ERROR"' in line for line in log), name
    until(lambda: in_force(mesh, source) == before)


@pytest.mark.slow
def test_a_change_of_policy_is_in_force_everywhere_and_then_gone(mesh: AccessMesh) -> None:
    before = in_force(mesh, "policy")
    assert set(before) == {service["name"] for service in mesh.storex.json("status")["services"]}
    assert not sees(mesh, "orders-1")
    with file(mesh.folder / "policy" / "more.csv", GOOD):
        until(lambda: sees(mesh, "orders-1"))
        until(lambda: not {v for v, _ in in_force(mesh, "policy").values()} & {v for v, _ in before.values()})
    until(lambda: in_force(mesh, "policy") == before)
    assert not sees(mesh, "orders-1")


@pytest.mark.parametrize("bad", SOME_AND_REST)
def test_a_bad_line_keeps_all_of_a_policy_out_and_is_told(mesh: AccessMesh, bad: str) -> None:
    check_refused(mesh, "policy", mesh.folder / "policy" / "more.csv", GOOD + BAD[bad])


@pytest.mark.slow
@pytest.mark.parametrize("bad", list(BAD_EGRESS))
def test_a_bad_part_keeps_all_of_an_egress_file_out_and_is_told(mesh: AccessMesh, bad: str) -> None:
    check_refused(mesh, "egress", mesh.folder / "egress.yaml", BAD_EGRESS[bad])


@pytest.mark.slow
def test_a_region_cannot_widen_and_refuses_alone(mesh: AccessMesh) -> None:
    path = mesh.folder / "policy" / "regions" / "eu-central-1" / "wide.csv"
    before = in_force(mesh, "policy")
    with file(path, GOOD):
        until(lambda: in_force(mesh, "policy")["shard-eu-central-1"][1])
        others = {name: files for name, files in in_force(mesh, "policy").items() if name != "shard-eu-central-1"}
        assert others.items() <= before.items()
    until(lambda: in_force(mesh, "policy") == before)


@pytest.mark.slow
def test_where_egress_and_policy_disagree_the_narrower_one_holds(mesh: AccessMesh) -> None:
    def hosts(*who: str) -> set[str]:
        answer = mesh.storex.json("diag", "connections", INSTANCES["orders-2"], *who)
        return {group["user"] for group in answer["groups"]}

    # The egress file shows the dba everything, policy takes principals away; and the other way about for on-call.
    names = hosts()
    assert not any(name.startswith("prn_") for name in names)
    assert all(name.startswith("prn_") for name in hosts("--as", "orders-oncall"))
    with file(mesh.folder / "policy" / "more.csv", "p, role:dba, region=us-*, *, principal, never, deny\n"):
        until(lambda: all(name.startswith("prn_") for name in hosts()))
    until(lambda: hosts() == names)
    wider = EGRESS.replace("on-call: token", "on-call: clear")
    with file(mesh.folder / "egress.yaml", wider):
        until(lambda: hosts("--as", "orders-oncall") == names)
    until(lambda: all(name.startswith("prn_") for name in hosts("--as", "orders-oncall")))
