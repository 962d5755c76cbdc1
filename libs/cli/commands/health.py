"""`storex health`: what is wrong with an instance, or with those of a region or a service, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, TypeVar

import typer
from rich.console import RenderableType

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.health_view import health_view, ranked_view, told
from libs.cli.output import Output, proto_json
from libs.cli.past import call
from libs.cli.session import FileOption, JsonOption, StateDirOption, UserOption, connect
from libs.client import CallError, Listing, StorexClient, resolve_target
from libs.client.ranking import worst_first
from libs.client.targets import is_complete
from storex.common.v1.error_pb2 import RegionError
from storex.diagnostics.v1.diagnostics_pb2 import (
    GetHealthRequest,
    InstanceHealth,
    StreamHealthRequest,
    WatchHealthRequest,
)
from storex.diagnostics.v1.finding_pb2 import CHECK_RESULT_NOT_CHECKED, SEVERITY_INFO

A = TypeVar("A")
WATCH_SECONDS = 900.0
"""How long one call watches; then it is made again, with a token of that time."""
_SERVICES = "services/"


def health(
    target: Annotated[
        str, typer.Argument(help="regions/R/instances/I, a unique short name, services/NAME, a region, or all.")
    ],
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and tell what opens, changes and closes.")] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="For scripts: end with 1 if something is wrong, with 7 if not all could be checked."
        ),
    ] = False,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show findings, the worst first, and what could not be checked."""
    output = Output(as_json=as_json)
    if watch and check:
        raise CommandError("--watch does not end by itself.", "Give --watch or --check.", ExitStatus.USAGE)
    with connect(file, state_dir, user) as client:
        name, labels = _named(client, target)
        if watch:
            _watch(client, WatchHealthRequest(name=name, labels=labels), output)
            return
        if "-" in name.split("/"):
            status = _show_many(client, StreamHealthRequest(name=name, labels=labels), output)
        else:
            answer = call(client, client.diagnostics.GetHealth, GetHealthRequest(name=name))
            _show(output, proto_json(answer), lambda: health_view(answer.health))
            status = status_of([answer.health])
    if check and status is not ExitStatus.SUCCESS:
        raise typer.Exit(status)


def status_of(health: Sequence[InstanceHealth], *, all_answered: bool = True) -> ExitStatus:
    """FAILED where something is wrong, BLIND where nothing is seen to be and not all was checked."""
    if any(finding.severity > SEVERITY_INFO for one in health for finding in one.findings):
        return ExitStatus.FAILED
    unchecked = any(made.result == CHECK_RESULT_NOT_CHECKED for one in health for made in one.checks)
    blind = unchecked or not all_answered or not health or any(not one.checks for one in health)
    return ExitStatus.BLIND if blind else ExitStatus.SUCCESS


def _named(client: StorexClient, target: str) -> tuple[str, dict[str, str]]:
    """The name that the RPCs take, and the labels of what is meant. Raises TargetError, CallError."""
    if target == "all":
        return "regions/-/instances/-", {}
    text = f"service:{target.removeprefix(_SERVICES)}" if target.startswith(_SERVICES) else target
    name = resolve_target(text, Listing() if is_complete(text) else client.listing())
    if name.startswith(_SERVICES):
        return "regions/-/instances/-", {"service": name.removeprefix(_SERVICES)}
    return (name if "/instances/" in name else f"{name}/instances/-"), {}


def _show(output: Output, data: object, view: Callable[[], Iterator[RenderableType]]) -> None:
    if output.as_json:
        output.json(data)
    else:
        output.show(*view())


def _show_many(client: StorexClient, request: StreamHealthRequest, output: Output) -> ExitStatus:
    found: list[InstanceHealth] = []
    errors: list[RegionError] = []
    for message in client.stream(client.diagnostics.StreamHealth, request):
        if message.HasField("health"):
            found.append(message.health)
        elif message.HasField("region_error"):
            errors.append(message.region_error)
    ranked = worst_first(found)
    data = {"health": [proto_json(one) for one in ranked], "region_errors": [proto_json(error) for error in errors]}
    _show(output, data, lambda: ranked_view(ranked))
    for error in errors:
        output.note(f"{error.name}: {error.message}", "yellow")
    return status_of(ranked, all_answered=not errors)


def _watch(client: StorexClient, request: WatchHealthRequest, output: Output) -> None:
    known: dict[str, InstanceHealth] = {}
    while True:
        try:
            for message in client.stream(client.diagnostics.WatchHealth, request, seconds=WATCH_SECONDS):
                if output.as_json:
                    output.line(proto_json(message))
                elif message.HasField("region_error"):
                    output.note(f"{message.region_error.name}: {message.region_error.message}", "yellow")
                else:
                    name = message.health.observation.name
                    output.show(*told(known.get(name), message.health))
                    known[name] = message.health
            return
        except CallError as error:
            if error.reason != "DEADLINE_EXCEEDED":
                raise
