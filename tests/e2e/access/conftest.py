"""A mesh with a policy, a region that narrows it and an egress file, and people of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from libs.cli.mesh.state import MeshDirectory
from libs.identity import LocalIssuer
from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex, running_mesh

POLICY = {
    "access.csv": """
role, auditor, Reads one team's instances in Europe and is told no names
p, role:auditor, team=payments region=eu-*, fleet.read, schema, never, allow
p, role:auditor, team=payments region=eu-*, diagnostics.read, public, never, allow
p, role:auditor, team=payments region=eu-*, history.read, public, never, allow
g, user:erin, role:auditor

role, contractor, Was here for a while
p, role:contractor, region=eu-*, *, principal, 2026-01-01, allow

p, user:mona, instance=users-1, *, public, never, deny
p, team:orders, instance=orders-1, storex.diagnostics.v1.DiagnosticsService/GetInnodbStatus, public, never, deny
""",
    "regions/eu-central-1/narrow.csv": """
p, role:on-call, *, *, principal, never, deny
p, role:viewer, *, diagnostics.read, public, never, deny
p, role:viewer, *, history.read, public, never, deny
""",
}
EGRESS = """
domains:
  ccpa:
    roles: {dba: clear, on-call: token}
    others: drop
"""


@dataclass(frozen=True)
class Person:
    """Somebody with a token; `service` is a service on its own behalf, `acting` one that acts for the person."""

    name: str
    teams: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    acting: str = ""
    service: bool = False


@dataclass(frozen=True)
class AccessMesh:
    """The running mesh, with its doors and the issuer that its services trust."""

    storex: Storex
    folder: Path
    issuer: LocalIssuer
    addresses: dict[str, str]
    logs: dict[str, Path]

    def metadata(self, person: Person, *, relayed: bool = False, request_id: str = "") -> tuple[tuple[str, str], ...]:
        """What a person's call carries; `relayed` as the coordinator would pass it on to a shard."""
        issue = self.issuer
        token = (
            issue.issue_service(person.name)
            if person.service
            else issue.issue_user(person.name, person.teams, person.roles)
        )
        metadata = [("authorization", f"Bearer {token}")]
        if person.acting:
            metadata.append(("x-storex-actor", issue.issue_service(person.acting)))
        if relayed:
            metadata.append(("x-storex-relay", issue.issue_service("coordinator")))
        if request_id:
            metadata.append(("x-request-id", request_id))
        return tuple(metadata)


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    with LabFleet.start(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.fixture(scope="package")
def mesh(fleet: LabFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessMesh]:
    folder = tmp_path_factory.mktemp("access")
    for name, text in POLICY.items():
        (folder / "policy" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "policy" / name).write_text(text)
    (folder / "egress.yaml").write_text(EGRESS)
    document = yaml.safe_load(fleet.config_path.read_text())
    document |= {"state_dir": "state", "policy": "policy", "egress": "egress.yaml"}
    document["users"] |= {"erin": {"teams": ["audit"], "roles": []}, "mona": {"teams": [], "roles": ["dba"]}}
    for region in document["regions"].values():
        for instance in region["instances"].values():
            instance["password_file"] = str(fleet.base_dir / instance["password_file"])
    (folder / "storex.yaml").write_text(yaml.safe_dump(document))
    with running_mesh(folder / "storex.yaml") as storex:
        state = MeshDirectory(folder / "state").read()
        assert state is not None
        addresses = {service.name: service.address for service in state.services}
        logs = {service.name: Path(service.log) for service in state.services}
        yield AccessMesh(storex, folder, LocalIssuer.open(folder / "state"), addresses, logs)
