"""`storex diag`: one collector's answer for one instance.

The collectors are read from the contract of DiagnosticsService: a new RPC is a new collector without a line of code.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.message_view import message_view
from libs.cli.output import Output, proto_json
from libs.cli.session import FileOption, JsonOption, SnapshotOption, StateDirOption, UserOption, connect
from libs.client import CallError, Listing, StorexClient, resolve_instance
from libs.client.targets import near_matches
from storex.diagnostics.v1 import diagnostics_pb2

_SERVICE = diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"]


def _collector_name(method: MethodDescriptor) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower().partition("_")[2]


COLLECTORS: dict[str, MethodDescriptor] = {
    _collector_name(method): method for method in _SERVICE.methods if not method.server_streaming
}
"""The unary methods by collector name: `GetLockWaits` is `lock_waits`."""


def diag(
    collector: Annotated[str, typer.Argument(help=f"One of: {', '.join(COLLECTORS)}.")],
    name: Annotated[str, typer.Argument(help="regions/R/instances/I, or a unique short name.")],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="A field of the request, such as page_size=5 or window=300s."
        ),
    ] = None,
    snapshot: SnapshotOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show what one collector reads from an instance."""
    method = _method(collector)
    with connect(file, state_dir, user, snapshot) as client:
        full_name = resolve_instance(name, Listing() if name.startswith("regions/") else client.listing())
        answer = _call(client, method, _request(method, full_name, settings or []))
    output = Output(as_json=as_json)
    if as_json:
        output.json(proto_json(answer))
    else:
        output.show(*message_view(answer))
        for left_out in _left_out(method, settings or []):
            output.note(f"Left out: {left_out.replace('_', ' ')} ones. Add --set include_{left_out}=true to see them.")


def _left_out(method: MethodDescriptor, settings: list[str]) -> list[str]:
    """What the request could have included and did not, such as `idle`."""
    asked = {setting.partition("=")[0] for setting in settings}
    names = [field.name for field in method.input_type.fields if field.name.startswith("include_")]
    return [name.removeprefix("include_") for name in names if name not in asked]


def _method(collector: str) -> MethodDescriptor:
    found = COLLECTORS.get(collector.replace("-", "_"))
    if found is None:
        raise CommandError(
            f"There is no collector {collector!r}.", f"There is {', '.join(COLLECTORS)}.", ExitStatus.USAGE
        )
    return found


def _request(method: MethodDescriptor, name: str, settings: list[str]) -> Message:
    values: dict[str, Any] = {"name": name}
    for setting in settings:
        field, _, text = setting.partition("=")
        values[field] = _value(text)
    request: Message = GetMessageClass(method.input_type)()
    try:
        return ParseDict(values, request)
    except ParseError as error:
        fields = ", ".join(field.name for field in method.input_type.fields if field.name != "name")
        remedy = f"{method.name} takes {fields or 'nothing but the name'}."
        raise CommandError(f"--set is not understood: {error}.", remedy, ExitStatus.USAGE) from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _call(client: StorexClient, method: MethodDescriptor, request: Message) -> Message:
    stub: Any = client.diagnostics
    try:
        answer: Message = client.call(getattr(stub, method.name), request)
    except CallError as error:
        if error.reason != "RESOURCE_NOT_FOUND":
            raise
        raise not_found(client, error, request.name) from None  # type: ignore[attr-defined]
    return answer


def not_found(client: StorexClient, error: CallError, name: str) -> CommandError:
    """The failure for a name that the server does not know, with near matches from what the caller may list."""
    candidates = near_matches(name, client.listing())
    return CommandError(error.message, status=ExitStatus.NOT_FOUND, reason=error.reason, candidates=candidates)
