"""Which methods there are, and what each needs: read from the descriptors' `rule` option, never from a peer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from storex.agent.v1 import agent_pb2
from storex.common.v1 import error_pb2, options_pb2
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2
from storex.judge.v1 import judge_pb2
from storex.snapshot.v1 import snapshot_pb2

REGION_ERROR_FIELD = 15
"""Number of the field `region_error` in every streamed response of a method that takes wildcards."""

SCOPE_GLOBAL = options_pb2.SCOPE_GLOBAL
SCOPE_REGION = options_pb2.SCOPE_REGION
SCOPE_AGENT = options_pb2.SCOPE_AGENT
SCOPE_JUDGE = options_pb2.SCOPE_JUDGE


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """A callable method: `full_method` is the path on the wire, such as `/storex.fleet.v1.FleetService/GetInstance`."""

    full_method: str
    permission: str
    scope: options_pb2.Scope.ValueType
    request_type: type[Message]
    response_type: type[Message]
    server_streaming: bool
    wildcards: bool
    """Whether its name may hold `-`: a stream of a region-scoped method that can carry a region's error."""
    lasting: bool = False
    """Whether it is a stream that goes on until the caller has enough, with silences of any length."""

    @property
    def of_snapshots(self) -> bool:
        """Whether its name may be that of a snapshot."""
        return self.service.startswith("storex.snapshot.")

    @property
    def service(self) -> str:
        """The full name of its service."""
        return self.full_method.split("/")[1]


class MethodTable:
    """Methods by path. What is not in it does not exist for a caller: undeclared means denied."""

    def __init__(self, methods: Mapping[str, MethodInfo]) -> None:
        self._methods = dict(methods)

    @classmethod
    def from_descriptors(cls, *descriptors: FileDescriptor | ServiceDescriptor) -> MethodTable:
        """Collect every method with a complete rule; methods without one, and client streams, are left out."""
        methods: dict[str, MethodInfo] = {}
        for descriptor in descriptors:
            for service in _services(descriptor):
                for method in service.methods:
                    info = _method_info(method)
                    if info is not None:
                        methods[info.full_method] = info
        return cls(methods)

    def get(self, full_method: str) -> MethodInfo | None:
        """The method of that path, or None when it is not declared."""
        return self._methods.get(full_method)

    def __iter__(self) -> Iterator[MethodInfo]:
        return iter(self._methods.values())

    def __len__(self) -> int:
        return len(self._methods)

    @property
    def services(self) -> tuple[str, ...]:
        """The full names of the services, in order."""
        return tuple(sorted({method.service for method in self}))


def _services(descriptor: FileDescriptor | ServiceDescriptor) -> Iterator[ServiceDescriptor]:
    if isinstance(descriptor, ServiceDescriptor):
        yield descriptor
    else:
        yield from descriptor.services_by_name.values()


def _method_info(method: MethodDescriptor) -> MethodInfo | None:
    rule = method.GetOptions().Extensions[options_pb2.rule]
    if method.client_streaming or not rule.permission or rule.scope == options_pb2.SCOPE_UNSPECIFIED:
        return None
    region_error = method.output_type.fields_by_number.get(REGION_ERROR_FIELD)
    carries_region_error = region_error is not None and region_error.message_type is error_pb2.RegionError.DESCRIPTOR
    return MethodInfo(
        full_method=f"/{method.containing_service.full_name}/{method.name}",
        permission=rule.permission,
        scope=rule.scope,
        request_type=GetMessageClass(method.input_type),
        response_type=GetMessageClass(method.output_type),
        server_streaming=method.server_streaming,
        wildcards=method.server_streaming and rule.scope == SCOPE_REGION and carries_region_error,
        lasting=method.server_streaming and rule.lasting,
    )


METHODS = MethodTable.from_descriptors(
    fleet_pb2.DESCRIPTOR,
    diagnostics_pb2.DESCRIPTOR,
    history_pb2.DESCRIPTOR,
    agent_pb2.DESCRIPTOR,
    snapshot_pb2.DESCRIPTOR,
    judge_pb2.DESCRIPTOR,
)
"""Every method of Storex. A new service is one more line here."""
