"""The permissions and RPCs that a rule can name, read from the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from google.protobuf.descriptor import FileDescriptor

from storex.agent.v1 import agent_pb2
from storex.common.v1 import options_pb2
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2
from storex.judge.v1 import judge_pb2
from storex.snapshot.v1 import snapshot_pb2

CONTRACTS: tuple[FileDescriptor, ...] = (
    fleet_pb2.DESCRIPTOR,
    diagnostics_pb2.DESCRIPTOR,
    history_pb2.DESCRIPTOR,
    agent_pb2.DESCRIPTOR,
    snapshot_pb2.DESCRIPTOR,
    judge_pb2.DESCRIPTOR,
)
"""The files whose services policy knows; a new area is one more entry."""


class Vocabulary:
    """Every RPC (`storex.fleet.v1.FleetService/GetInstance`) with the permission that it needs."""

    def __init__(self, permission_of: Mapping[str, str]) -> None:
        self.permission_of = dict(permission_of)
        self.permissions = frozenset(self.permission_of.values())

    @classmethod
    def of_contracts(cls, files: Iterable[FileDescriptor]) -> Vocabulary:
        """Read the method rules of the services in `files`; a method without a rule is left out, thus denied."""
        found = {}
        for file in files:
            for service in file.services_by_name.values():
                for method in service.methods:
                    permission = method.GetOptions().Extensions[options_pb2.rule].permission
                    if permission:
                        found[f"{service.full_name}/{method.name}"] = permission
        return cls(found)

    def act(self, permission: str, rpc: str) -> str:
        """What a request is judged as: the RPC where it is a known one of that permission, else the permission."""
        name = rpc.removeprefix("/")
        return name if self.permission_of.get(name) == permission else permission


@cache
def storex_vocabulary() -> Vocabulary:
    """The vocabulary of this version's contracts."""
    return Vocabulary.of_contracts(CONTRACTS)
