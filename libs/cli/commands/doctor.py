"""`storex doctor`: what cannot be seen of an instance or of those of a region, what that costs, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from libs.cli.commands.diag import not_found
from libs.cli.failures import ExitStatus
from libs.cli.output import Output, proto_json
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, StateDirOption, UserOption, connect
from libs.client import CallError, Listing, StorexClient, resolve_target
from libs.client.targets import TargetError
from storex.diagnostics.v1 import visibility_pb2
from storex.diagnostics.v1.visibility_pb2 import ConditionResult, GetVisibilityRequest, GetVisibilityResponse

AT_ONCE = 8
"""Instances that are looked at together."""

_STYLES = {
    ConditionResult.CONDITION_RESULT_WARNING: "yellow",
    ConditionResult.CONDITION_RESULT_FAILED: "bold red",
    ConditionResult.CONDITION_RESULT_UNKNOWN: "yellow",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """What an instance, or a region that did not answer, had to say."""

    name: str
    answer: GetVisibilityResponse | None = None
    error: CallError | None = None
    problem: str = ""

    @property
    def status(self) -> ExitStatus:
        """What it comes to: everything is seen, something is not, or it could not be looked at."""
        if self.answer is None:
            return ExitStatus.UNAVAILABLE
        results = {condition.result for condition in self.answer.conditions}
        if ConditionResult.CONDITION_RESULT_FAILED in results:
            return ExitStatus.UNAVAILABLE
        unseen = self.answer.blind_spots or self.answer.observation.limits
        return ExitStatus.BLIND if unseen or results & set(_STYLES) else ExitStatus.SUCCESS


def doctor(
    name: Annotated[str, typer.Argument(help="An instance or a region: its full name, or a unique short one.")],
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Say what cannot be seen of an instance, what that costs, and how to mend it.

    The exit status is 0 where everything is seen, 7 where something is not or should be put right, and 4 where an
    instance or its region could not be reached.
    """
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        visits = list(_visits(client, name))
    if as_json:
        output.json([_json(visit) for visit in visits])
    else:
        for number, visit in enumerate(visits):
            output.show(*([""] if number else []), *_view(visit))
        if not visits:
            output.note("There is no instance in it that you may see.", "yellow")
    statuses = {visit.status for visit in visits}
    for status in (ExitStatus.UNAVAILABLE, ExitStatus.BLIND):
        if status in statuses:
            raise typer.Exit(status)


def _visits(client: StorexClient, name: str) -> Iterator[Visit]:
    listing = Listing() if "/instances/" in name else client.listing()
    target = resolve_target(name, listing)
    if target.startswith("services/"):
        raise TargetError(f"{name} is a service; name one of its instances, or a region.", [])
    if "/instances/" in target:
        visit = _visit(client, target)
        if visit.error is not None:
            if visit.error.reason == "RESOURCE_NOT_FOUND":
                raise not_found(client, visit.error, target)
            raise visit.error
        yield visit
        return
    for error in listing.errors:
        if error.name == target:
            yield Visit(error.name, problem=error.message)
    names = sorted(instance.name for instance in listing.instances if instance.name.startswith(f"{target}/"))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(lambda one: _visit(client, one), names)


def _visit(client: StorexClient, name: str) -> Visit:
    try:
        return Visit(name, client.call(client.diagnostics.GetVisibility, GetVisibilityRequest(name=name)))
    except CallError as error:
        return Visit(name, error=error, problem=error.message)


def _json(visit: Visit) -> dict[str, object]:
    if visit.answer is not None:
        return {"name": visit.name, "status": int(visit.status), "visibility": proto_json(visit.answer)}
    return {"name": visit.name, "status": int(visit.status), "error": visit.problem}


def _view(visit: Visit) -> Iterator[RenderableType]:
    if visit.answer is None:
        yield Text.assemble(plain(visit.name, "bold"), "  ", plain(visit.problem, "bold red"))
        return
    answer = visit.answer
    verdict, style = _verdict(visit)
    engine = f"  {answer.engine} {answer.version}" if answer.engine else ""
    yield Text.assemble(plain(visit.name, "bold"), plain(engine), "  ", (verdict, style))
    for condition in answer.conditions:
        if condition.result in _STYLES:
            yield plain(f"  {condition.subject}: {condition.message}", _STYLES[condition.result])
            yield from _mending(condition.remedies, answer.account)
    for spot in answer.blind_spots:
        yield plain(f"  {spot.source} {spot.code}: {spot.message}", "bold")
        yield from _price("cannot show anything", (*spot.blind_tools, *spot.blind_causes))
        yield from _price("shows less", (*spot.weaker_tools, *spot.weaker_causes))
        yield from _mending(spot.remedies, answer.account)
    told = {(spot.source, spot.code) for spot in answer.blind_spots}
    for limit in answer.observation.limits:
        if (limit.source, limit.code) not in told and limit.source != "database":
            yield plain(f"  {limit.message} {limit.remedy}".rstrip(), "yellow")


def _verdict(visit: Visit) -> tuple[str, str]:
    if visit.status is ExitStatus.SUCCESS:
        return "everything is seen", "green"
    if visit.status is ExitStatus.UNAVAILABLE:
        return "cannot be looked at", "bold red"
    spots = len(visit.answer.blind_spots) if visit.answer else 0
    return (f"{spots} blind spot{'s' if spots > 1 else ''}", "yellow") if spots else ("seen, but", "yellow")


def _price(words: str, names: Sequence[str]) -> Iterator[RenderableType]:
    if names:
        yield plain(f"    {words}: {', '.join(names)}")


def _mending(remedies: Sequence[visibility_pb2.Remedy], account: str) -> Iterator[RenderableType]:
    for number, remedy in enumerate(remedies):
        note = f"  ({remedy.note})" if remedy.note else ""
        lead = "or" if number else "mend"
        if remedy.statement:
            yield plain(f"    {lead}: {remedy.statement.replace('<account>', account or '<account>')};{note}")
        elif not remedy.configuration:
            yield plain(f"    {lead}: {remedy.note}")
        if remedy.configuration:
            when = "and restart the server" if remedy.needs_restart else "to keep it over a restart"
            yield plain(
                f"    {'my.cnf' if remedy.statement else lead + ', in my.cnf'} [mysqld], {when}:"
                f"{'' if remedy.statement else note}"
            )
            for line in remedy.configuration:
                yield plain(f"      {line}")
