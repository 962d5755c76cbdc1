"""`storex policy` as somebody who writes rules uses it: what it says is what the mesh does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.access.conftest import POLICY, AccessMesh
from tests.e2e.access.expected import INSTANCES

pytestmark = pytest.mark.engine

TABLE = """
principals:
  vera: {teams: [payments], roles: [viewer]}
  erin: {teams: [audit]}
  agent: {subject: "service:agent"}
resources:
  payments-1: {region: eu-west-1, domain: gdpr, cloud: aws, environment: prod, team: payments}
  payments-2: {region: eu-central-1, domain: gdpr, cloud: gcp, environment: prod, team: payments}
cases:
  - {who: vera, what: [fleet.read, diagnostics.read], where: payments-1, expect: schema}
  - {who: vera, through: agent, what: diagnostics.read, where: payments-2, expect: deny}
  - {who: erin, what: diagnostics.read, where: [payments-1, payments-2], expect: public}
"""


@pytest.mark.parametrize(
    ("user", "instance", "allowed", "rule"),
    [
        ("payments-viewer", "payments-1", True, "roles.csv"),
        ("payments-viewer", "payments-2", False, "regions/eu-central-1/narrow.csv"),
        ("payments-viewer", "orders-1", False, "no rule"),
        ("mona", "users-1", False, "access.csv"),
        ("erin", "payments-2", True, "access.csv"),
        ("admin", "orders-2", True, "roles.csv"),
    ],
)
def test_explain_names_the_rule_and_the_mesh_goes_by_it(
    mesh: AccessMesh, user: str, instance: str, allowed: bool, rule: str
) -> None:
    told = mesh.storex.json("policy", "explain", "diagnostics.read", INSTANCES[instance], "--as", user)
    assert (told["allowed"], told["rule"].partition(":")[0]) == (allowed, rule)
    in_force = {service["name"]: service["in_force"] for service in mesh.storex.json("status")["services"]}
    shard = f"shard-{INSTANCES[instance].split('/')[1]}"
    assert told["version"] in {files["version"] for files in in_force[shard] or ()}
    asked = mesh.storex.run("diag", "overview", INSTANCES[instance], "--as", user)
    assert asked.status == (0 if allowed else 6), asked.stderr
    shown = mesh.storex.run("policy", "explain", "diagnostics.read", INSTANCES[instance], "--as", user).stdout
    assert shown.startswith("allowed: " if allowed else "denied: ")
    assert told["rule"] in shown


def test_explain_tells_what_the_agent_may_for_somebody(mesh: AccessMesh) -> None:
    told = mesh.storex.json("policy", "explain", "agent.ask", INSTANCES["payments-1"], "--agent")
    assert not told["allowed"]
    assert [principal["subject"] for principal in told["principals"]] == ["user:admin", "service:agent"]


def test_test_and_lint_find_what_is_wrong_with_a_folder(mesh: AccessMesh, tmp_path: Path) -> None:
    for name, text in POLICY.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "rights.test.yaml").write_text(TABLE)
    tested = mesh.storex.run("policy", "test", str(tmp_path))
    assert tested.status == 0, tested.stdout
    assert "5 checked, 0 failed" in tested.stderr
    (tmp_path / "rights.test.yaml").write_text(TABLE.replace("expect: public", "expect: schema"))
    failed = mesh.storex.run("policy", "test", str(tmp_path))
    assert failed.status == 1
    assert failed.stdout.count("expected schema, got public") == 2
    linted = mesh.storex.run("policy", "lint", str(tmp_path))
    assert linted.status == 1
    assert "[expired]" in linted.stdout, "the contractor's rule has ended"
    (tmp_path / "more.csv").write_text("p, role:wizard, *, fleet.read, public, never, allow\n")
    broken = mesh.storex.run("policy", "lint", str(tmp_path))
    assert broken.status != 0
    assert "more.csv:1: the role wizard is not declared" in " ".join(broken.stderr.split())
    assert "Traceback" not in broken.stderr
