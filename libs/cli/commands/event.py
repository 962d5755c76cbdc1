"""`storex event`: tell instances that something was deployed."""

from __future__ import annotations

from typing import Annotated

import typer

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output, proto_json
from libs.cli.past import call, full_name, moment_of, written
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, StateDirOption, UserOption, connect
from libs.client import StorexClient
from storex.history.v1.history_pb2 import DeployEvent, PostDeployEventRequest

_SERVICE = "service:"


def event(
    name: Annotated[
        str,
        typer.Argument(help="regions/R/instances/I, a unique short name, or service:NAME for all of its instances."),
    ],
    service: Annotated[str, typer.Argument(help="What was deployed.")],
    version: Annotated[str, typer.Option("--version", help="Its version.")] = "",
    note: Annotated[str, typer.Option("--note", help="A few words; what looks like customer data is taken out.")] = "",
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When: 02:30, or 20m (ago); else now.")] = None,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Post a deployment, so that it stands among the changes of the instances that it may affect."""
    posted = DeployEvent(service=service, version=version, note=note)
    # Dated here, so that the same event on several instances, or posted twice, is the same.
    posted.deployed_at.FromDatetime(moment_of(at))
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        requests = [PostDeployEventRequest(name=one, event=posted) for one in _names(client, name)]
        answers = [call(client, client.history.PostDeployEvent, request) for request in requests]
    if as_json:
        output.json([{"name": r.name, **proto_json(a)} for r, a in zip(requests, answers, strict=True)])
        return
    for request, answer in zip(requests, answers, strict=True):
        change = answer.change
        words = " ".join(filter(None, (change.deploy.service, change.deploy.version)))
        output.show(plain(f"{request.name}: {words} at {written(change.changed_at)} UTC, {change.id}"))


def _names(client: StorexClient, name: str) -> list[str]:
    if not name.startswith(_SERVICE):
        return [full_name(client, name)]
    service = name.removeprefix(_SERVICE)
    listing = client.listing()
    found = [one.name for one in listing.instances if one.labels.get("service") == service]
    if listing.errors:
        missing = ", ".join(sorted(error.name for error in listing.errors))
        message = f"{missing} could not be listed now, so instances of {service} may be missing. Nothing was posted."
        raise CommandError(message, "Try again, or name one instance.", ExitStatus.UNAVAILABLE)
    if not found:
        message = f"No instance that you may see has the label service={service}."
        raise CommandError(message, "`storex fleet` lists them.", ExitStatus.NOT_FOUND)
    return sorted(found)
