from __future__ import annotations

from itertools import count

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor

from libs.rpc.methods import METHODS, SCOPE_REGION, MethodTable
from storex.common.v1 import options_pb2

STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING


_numbers = count()


def described(rule: options_pb2.MethodRule | None, **method: bool) -> FileDescriptor:
    """A service with one method of that rule, as a newer descriptor set might bring it."""
    package = f"methods.test{next(_numbers)}"
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.message_type.add(name="In").field.add(name="name", number=1, type=STRING)
    file.message_type.add(name="Out").field.add(name="region_error", number=15, type=STRING)
    added = file.service.add(name="S").method.add(
        name="M", input_type=f".{package}.In", output_type=f".{package}.Out", **method
    )
    if rule is not None:
        added.options.Extensions[options_pb2.rule].CopyFrom(rule)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found: FileDescriptor = pool.FindFileByName(file.name)
    return found


def rule(permission: str = "t.read", scope: int = SCOPE_REGION) -> options_pb2.MethodRule:
    return options_pb2.MethodRule(permission=permission, scope=options_pb2.Scope.ValueType(scope))


def test_a_method_without_a_complete_rule_is_not_declared() -> None:
    (complete,) = MethodTable.from_descriptors(described(rule()))
    assert (complete.permission, complete.full_method.rpartition(".")[2]) == ("t.read", "S/M")
    for incomplete in (None, rule(permission=""), rule(scope=0)):
        assert len(MethodTable.from_descriptors(described(incomplete))) == 0


def test_a_client_stream_is_not_declared_because_nothing_can_route_it() -> None:
    assert len(MethodTable.from_descriptors(described(rule(), client_streaming=True))) == 0


def test_wildcards_need_a_stream_that_can_carry_a_regions_error() -> None:
    (info,) = MethodTable.from_descriptors(described(rule(), server_streaming=True))
    assert not info.wildcards
    assert {info.full_method for info in METHODS if info.wildcards} == {
        "/storex.fleet.v1.FleetService/StreamInstances",
        "/storex.diagnostics.v1.DiagnosticsService/StreamHealth",
        "/storex.diagnostics.v1.DiagnosticsService/WatchHealth",
    }
    lasting = {info.full_method.rpartition("/")[2] for info in METHODS if info.lasting}
    assert "WatchHealth" in lasting
    assert "StreamHealth" not in lasting


def test_an_unknown_path_is_not_found() -> None:
    assert METHODS.get("/storex.fleet.v1.FleetService/getinstance") is None
    assert METHODS.get("") is None
