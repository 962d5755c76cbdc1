from __future__ import annotations

import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, PUBLIC, deciding_field, declared_class, is_map, is_value_type
from storex.common.v1 import options_pb2
from tests.contract.protos import all_fields, enums_with_classes, fields, reachable

FIELDS = pytest.mark.parametrize("field", all_fields(), ids=lambda field: field.full_name)
PRINCIPALS = ("user", "host", "program")


@FIELDS
def test_every_field_says_its_class(field: FieldDescriptor) -> None:
    extensions = field.GetOptions().Extensions
    if extensions[options_pb2.sensitivity_from]:
        sibling = deciding_field(field)
        assert sibling is not None, "sensitivity_from names no sibling that could decide"
        assert declared_class(sibling) == PUBLIC, "what decides must leave too, or nobody can tell"
        if sibling.enum_type is not None:
            assert sibling.enum_type.full_name in {enum.full_name for enum in enums_with_classes()}
    else:
        assert extensions[options_pb2.sensitivity] != options_pb2.SENSITIVITY_UNSPECIFIED


@pytest.mark.parametrize("enum", enums_with_classes(), ids=lambda enum: enum.full_name)
def test_an_enum_that_stands_for_classes_does_so_with_every_value(enum: EnumDescriptor) -> None:
    for value in enum.values:
        assert value.GetOptions().Extensions[options_pb2.value_sensitivity] != options_pb2.SENSITIVITY_UNSPECIFIED
    zero = enum.values_by_number[0]
    assert zero.GetOptions().Extensions[options_pb2.value_sensitivity] == CUSTOMER, "not said counts as CUSTOMER"


@FIELDS
def test_only_text_is_a_principal_for_nothing_else_can_become_a_token(field: FieldDescriptor) -> None:
    if declared_class(field) == PRINCIPAL:
        assert field.type == FieldDescriptor.TYPE_STRING
        assert not is_map(field)


@FIELDS
def test_accounts_hosts_and_programs_are_principals_everywhere(field: FieldDescriptor) -> None:
    if field.name in PRINCIPALS:
        assert declared_class(field) == PRINCIPAL


@FIELDS
def test_messages_hold_only_types_whose_fields_have_classes(field: FieldDescriptor) -> None:
    if field.message_type is not None and not is_map(field):
        assert field.message_type.full_name.startswith("storex.") or is_value_type(field)


@pytest.mark.parametrize(
    "method", [method for method in METHODS if method.scope == SCOPE_REGION], ids=lambda method: method.full_method
)
def test_no_answer_of_a_region_has_a_field_that_could_never_leave(method: MethodInfo) -> None:
    for message in reachable(method.response_type.DESCRIPTOR):
        if message.full_name.startswith("storex.") and not message.GetOptions().map_entry:
            for field in fields(message):
                assert deciding_field(field) is not None or declared_class(field) != CUSTOMER, field.full_name
