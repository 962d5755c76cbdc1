from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.message import Message

from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, PUBLIC, SCHEMA, SensitivityClass
from libs.sensitivity.plan import MAX_DEPTH, apply
from storex.common.v1 import entity_pb2, options_pb2
from storex.diagnostics.v1 import diagnostics_pb2

_F = descriptor_pb2.FieldDescriptorProto
_FILE = "storex/test/v1/plan.proto"


def _field(
    name: str,
    number: int,
    kind: _F.Type.ValueType,
    *,
    sensitivity: SensitivityClass = options_pb2.SENSITIVITY_UNSPECIFIED,
    source: str = "",
    **more: object,
) -> _F:
    field = _F(name=name, number=number, type=kind, label=_F.LABEL_OPTIONAL)
    for key, value in more.items():
        setattr(field, key, value)
    if sensitivity:
        field.options.Extensions[options_pb2.sensitivity] = sensitivity
    if source:
        field.options.Extensions[options_pb2.sensitivity_from] = source
    return field


def _map_entry(name: str, value: _F) -> descriptor_pb2.DescriptorProto:
    entry = descriptor_pb2.DescriptorProto(name=name)
    entry.field.extend([_field("key", 1, _F.TYPE_STRING), value])
    entry.options.map_entry = True
    return entry


def _build() -> type[Message]:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package="storex.test.v1", syntax="proto3")
    for used in (any_pb2, timestamp_pb2, struct_pb2, options_pb2):
        file.dependency.append(used.DESCRIPTOR.name)
    node = file.message_type.add(name="Node")
    own, many = ".storex.test.v1.Node", _F.LABEL_REPEATED
    node.nested_type.append(_map_entry("TextsEntry", _field("value", 2, _F.TYPE_STRING)))
    node.nested_type.append(_map_entry("NodesEntry", _field("value", 2, _F.TYPE_MESSAGE, type_name=own)))
    node.nested_type.append(_map_entry("NamesEntry", _field("value", 2, _F.TYPE_STRING)))
    node.oneof_decl.add(name="choice")
    node.field.extend(
        [
            _field("open", 1, _F.TYPE_STRING, sensitivity=PUBLIC),
            _field("unset", 2, _F.TYPE_STRING),
            _field("name", 3, _F.TYPE_STRING, sensitivity=PRINCIPAL),
            _field("names", 4, _F.TYPE_STRING, sensitivity=PRINCIPAL, label=many),
            _field("number", 5, _F.TYPE_INT64, sensitivity=PRINCIPAL),
            _field("raw", 6, _F.TYPE_BYTES, sensitivity=PRINCIPAL),
            _field("child", 7, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=own),
            _field("children", 8, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=own, label=many),
            _field("closed_child", 9, _F.TYPE_MESSAGE, sensitivity=PRINCIPAL, type_name=own),
            _field("texts", 10, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=own + ".TextsEntry", label=many),
            _field("nodes", 11, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=own + ".NodesEntry", label=many),
            _field("people", 12, _F.TYPE_MESSAGE, sensitivity=PRINCIPAL, type_name=own + ".NamesEntry", label=many),
            _field("packed", 13, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=".google.protobuf.Any"),
            _field("when", 14, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=".google.protobuf.Timestamp"),
            _field("free", 15, _F.TYPE_MESSAGE, sensitivity=PUBLIC, type_name=".google.protobuf.Struct"),
            _field("one", 16, _F.TYPE_STRING, sensitivity=PRINCIPAL, oneof_index=0),
            _field("other", 17, _F.TYPE_STRING, oneof_index=0),
            _field("value", 18, _F.TYPE_STRING, source="value_class"),
            _field("value_class", 19, _F.TYPE_ENUM, sensitivity=PUBLIC, type_name=".storex.common.v1.Sensitivity"),
            _field("both", 20, _F.TYPE_STRING, sensitivity=PRINCIPAL, source="value_class"),
            _field("astray", 21, _F.TYPE_STRING, source="nowhere"),
            _field("closed_class", 22, _F.TYPE_STRING),
            _field("by_closed", 23, _F.TYPE_STRING, source="closed_class"),
        ]
    )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName("storex.test.v1.Node")
    return message_factory.GetMessageClass(found)


Node = _build()
VIEWER = (PUBLIC, SCHEMA)


def _token(value: str) -> str:
    return f"<{len(value)}>"


def _left(message: Message) -> dict[str, object]:
    return {field.name: value for field, value in apply(message, VIEWER, _token).ListFields()}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"open": "a"}, {"open": "a"}),
        ({"unset": "secret"}, {}),
        ({"name": "bob"}, {"name": "<3>"}),
        ({"names": ["bob", "", "al"]}, {"names": ["<3>", "", "<2>"]}),
        ({"number": 7}, {}),
        ({"raw": b"bob"}, {}),
        ({"closed_child": Node(open="a")}, {}),
        ({"texts": {"k": "v"}}, {"texts": {"k": "v"}}),
        ({"people": {"bob": "al"}}, {}),
        ({"one": "bob"}, {"one": "<3>"}),
        ({"other": "secret"}, {}),
        ({"value": "a", "value_class": PUBLIC}, {"value": "a", "value_class": PUBLIC}),
        ({"value": "bob", "value_class": PRINCIPAL}, {"value": "<3>", "value_class": PRINCIPAL}),
        ({"value": "secret", "value_class": CUSTOMER}, {"value_class": CUSTOMER}),
        ({"value": "secret", "value_class": 77}, {"value_class": 77}),
        ({"value": "secret"}, {}),
        ({"both": "bob", "value_class": PUBLIC}, {"both": "<3>", "value_class": PUBLIC}),
        ({"astray": "secret"}, {}),
        ({"closed_class": "table", "by_closed": "t"}, {"by_closed": "t"}),
    ],
)
def test_each_kind_of_field_leaves_as_its_class_says(given: dict[str, object], left: dict[str, object]) -> None:
    assert _left(Node(**given)) == left


@pytest.mark.parametrize(
    "wrap",
    [
        lambda node: Node(child=node),
        lambda node: Node(children=[Node(), node]),
        lambda node: Node(nodes={"k": node}),
        lambda node: Node(child=Node(children=[Node(nodes={"k": node})])),
    ],
)
def test_nested_messages_are_judged_field_by_field(wrap: Callable[[Message], Message]) -> None:
    message = wrap(Node(open="a", unset="secret", name="bob"))
    assert apply(message, VIEWER, _token) == wrap(Node(open="a", name="<3>"))


def test_a_timestamp_is_one_value_and_free_form_is_none() -> None:
    message = Node()
    message.when.FromSeconds(5)  # type: ignore[attr-defined]
    message.free["k"] = "secret"  # type: ignore[attr-defined]
    filtered = apply(message, VIEWER, _token)
    assert filtered.when.seconds == 5  # type: ignore[attr-defined]
    assert "secret" not in str(filtered)


def test_an_any_of_a_storex_type_is_judged_and_any_other_is_dropped() -> None:
    own, foreign, unknown = Node(), Node(), Node()
    own.packed.Pack(Node(open="a", unset="secret", name="bob"))  # type: ignore[attr-defined]
    foreign.packed.Pack(descriptor_pb2.FileOptions(java_package="secret"))  # type: ignore[attr-defined]
    unknown.packed.type_url = "type.googleapis.com/storex.test.v1.Gone"  # type: ignore[attr-defined]
    unknown.packed.value = b"secret"  # type: ignore[attr-defined]
    unpacked = Node()
    assert apply(own, VIEWER, _token).packed.Unpack(unpacked)  # type: ignore[attr-defined]
    assert unpacked == Node(open="a", name="<3>")
    assert apply(foreign, VIEWER, _token) == Node()
    assert apply(unknown, VIEWER, _token) == Node()


def test_an_any_that_does_not_decode_is_dropped() -> None:
    message = Node()
    message.packed.type_url = "type.googleapis.com/storex.test.v1.Node"  # type: ignore[attr-defined]
    message.packed.value = b"\xff\xff secret"  # type: ignore[attr-defined]
    assert apply(message, VIEWER, _token) == Node()


def test_what_lies_too_deep_is_dropped() -> None:
    message = Node(open="deepest")
    for _ in range(MAX_DEPTH + 5):
        message = Node(child=message)
    assert "deepest" not in str(apply(message, VIEWER, _token))


def test_fields_that_the_proto_does_not_know_are_dropped_at_every_level() -> None:
    planted = b"\x9a\x3f\x06secret"  # field 1011, text
    inner = Node.FromString(Node(open="a").SerializeToString() + planted)
    message = Node.FromString(Node(child=inner).SerializeToString() + planted)
    assert b"secret" in message.SerializeToString()
    assert apply(message, VIEWER, _token).SerializeToString() == Node(child=Node(open="a")).SerializeToString()


def test_the_message_itself_is_not_changed() -> None:
    message = Node(unset="secret", name="bob", child=Node(name="al"))
    before = message.SerializeToString(deterministic=True)
    apply(message, VIEWER, _token)
    assert message.SerializeToString(deterministic=True) == before


def test_customer_never_leaves_and_public_always_does() -> None:
    everything = apply(Node(open="a", unset="secret", name="bob"), (PUBLIC, SCHEMA, PRINCIPAL, CUSTOMER), _token)
    nothing = apply(Node(open="a", unset="secret", name="bob"), (), None)
    assert (everything, nothing) == (Node(open="a", name="bob"), Node(open="a"))


def test_without_schema_names_of_tables_are_dropped() -> None:
    response = diagnostics_pb2.GetLockWaitsResponse()
    waiter = response.waiters.add(table="shop.orders", depth=1)
    waiter.session.statement.digest_text = "SELECT"
    filtered = apply(response, (PUBLIC,), _token).waiters[0]
    assert (filtered.table, filtered.depth, filtered.session.HasField("statement")) == ("", 1, False)


@pytest.mark.parametrize("word", sorted(entity_pb2.EntityType.keys()))
def test_entities_leave_by_their_type(word: str) -> None:
    type_name = word.removeprefix("ENTITY_TYPE_").lower()
    response = diagnostics_pb2.GetHealthResponse()
    response.health.findings.add().entities.add(role="holder", type=type_name, value="value")
    value = apply(response, VIEWER, _token).health.findings[0].entities[0].value
    expected = {"user": "<5>", "host": "<5>", "program": "<5>", "unspecified": ""}
    assert value == expected.get(type_name, "value")
