from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from libs.core.catalogue import CATALOGUE, RequiredEvidence
from libs.rpc.methods import METHODS, REGION_ERROR_FIELD
from libs.sensitivity.classes import PUBLIC, declared_class, is_value_type
from storex.common.v1 import options_pb2
from tests.contract.protos import all_methods, fields, messages

METHOD = pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.full_name)
PAGE_FIELDS = {"page_size": FieldDescriptor.TYPE_INT32, "page_token": FieldDescriptor.TYPE_STRING}


def _rule(method: MethodDescriptor) -> options_pb2.MethodRule:
    rule: options_pb2.MethodRule = method.GetOptions().Extensions[options_pb2.rule]
    return rule


def _message(method: MethodDescriptor, side: str) -> Any:
    return getattr(method, f"{side}_type")


@METHOD
def test_every_method_says_its_permission_and_scope_and_is_known(method: MethodDescriptor) -> None:
    rule = _rule(method)
    assert re.fullmatch(r"[a-z]+\.[a-z]+", rule.permission)
    assert rule.scope in set(options_pb2.Scope.values()) - {options_pb2.SCOPE_UNSPECIFIED}
    assert METHODS.get(f"/{method.containing_service.full_name}/{method.name}") is not None


def test_the_method_table_knows_nothing_else() -> None:
    assert len(METHODS) == len(all_methods())


@METHOD
def test_a_region_scoped_request_starts_with_its_name(method: MethodDescriptor) -> None:
    if _rule(method).scope == options_pb2.SCOPE_REGION:
        first = _message(method, "input").fields_by_number[1]
        assert (first.name, first.type, first.is_repeated) == ("name", FieldDescriptor.TYPE_STRING, False)
        assert declared_class(first) == PUBLIC


@METHOD
def test_a_stream_over_regions_can_carry_a_regions_error_and_nothing_else_does(method: MethodDescriptor) -> None:
    found = _message(method, "output").fields_by_number.get(REGION_ERROR_FIELD)
    is_error = found is not None and found.name == "region_error"
    assert is_error == (method.server_streaming and _rule(method).scope == options_pb2.SCOPE_REGION)
    if is_error:
        assert found.message_type.full_name == "storex.common.v1.RegionError"
        assert found.containing_oneof is not None, "a message is an answer or an error, never both"


@METHOD
def test_clients_do_not_stream(method: MethodDescriptor) -> None:
    assert not method.client_streaming


@METHOD
def test_a_paged_list_has_all_that_paging_needs(method: MethodDescriptor) -> None:
    request, response = _message(method, "input"), _message(method, "output")
    present = {field.name: field.type for field in fields(request) if field.name in PAGE_FIELDS}
    assert present in ({}, PAGE_FIELDS)
    assert bool(present) == ("next_page_token" in response.fields_by_name)


def test_requests_and_responses_belong_to_one_method_each() -> None:
    used = [_message(method, side).full_name for method in all_methods() for side in ("input", "output")]
    assert len(used) == len(set(used))
    named = {message.full_name for message in messages() if message.name.endswith(("Request", "Response"))}
    assert named - set(used) == {"storex.common.v1.RoutingRequest"}


@pytest.mark.parametrize(
    "evidence",
    [evidence for cause in CATALOGUE.values() for evidence in cause.evidence],
    ids=lambda evidence: f"{evidence.tool}:{evidence.path}",
)
def test_the_evidence_that_the_catalogue_requires_is_there_to_be_cited(evidence: RequiredEvidence) -> None:
    rpc = "".join(part.capitalize() for part in evidence.tool.split("_"))
    (method,) = [method for method in all_methods() if method.name == rpc]
    message, field = _message(method, "output"), None
    for step in evidence.path.split("."):
        name, star, _ = step.partition("[*]")
        field = message.fields_by_name[name]
        assert field.is_repeated == bool(star)
        message = field.message_type
    assert field is not None
    assert message is None or is_value_type(field)
