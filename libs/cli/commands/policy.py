"""`storex policy`: which rule decides, without a running mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, UserOption, config_file, find_user
from libs.client import Listing, resolve_instance
from libs.config import StorexConfig, load_config
from libs.core.names import parse_name
from libs.core.resources import Resource
from storex.fleet.v1.fleet_pb2 import Instance

if TYPE_CHECKING:
    from libs.policy.explain import Explanation

app = typer.Typer(help="Ask the policy.", no_args_is_help=True)


@app.callback()
def policy() -> None:
    """Ask the policy."""


@app.command("explain")
def explain(
    permission: Annotated[str, typer.Argument(help="A permission, such as diagnostics.read.")],
    name: Annotated[str, typer.Argument(help="regions/R/instances/I, or a unique short name.")],
    agent: Annotated[bool, typer.Option("--agent", help="As the agent would, on the user's behalf.")] = False,
    file: FileOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Say whether a user may, which rule decides, and which rules came near."""
    path = config_file(file)
    explanation = _explain(load_config(path), path, permission, name, user, agent=agent)
    output = Output(as_json=as_json)
    if as_json:
        output.json(_as_json(explanation))
    else:
        output.show(*_view(explanation))


def _explain(config: StorexConfig, path: Path, permission: str, name: str, user: str, *, agent: bool) -> Explanation:
    from libs.identity import Principal
    from libs.policy import PolicyError, load_policy

    person = find_user(user, path)
    never = float("inf")
    principals = [Principal(f"user:{person.name}", "user", frozenset(person.teams), frozenset(person.roles), never)]
    if agent:
        principals.append(Principal("service:agent", "service", frozenset(), frozenset({"agent"}), never))
    try:
        snapshot = load_policy(config.policy)
    except PolicyError as error:
        raise CommandError(str(error), "Mend the policy's files.", ExitStatus.CONFIG) from error
    if permission not in snapshot.vocabulary.permissions:
        known = ", ".join(sorted(snapshot.vocabulary.permissions))
        raise CommandError(f"There is no permission {permission!r}.", f"There is {known}.", ExitStatus.USAGE)
    return snapshot.explain(principals, permission, _resource(config, name))


def _resource(config: StorexConfig, name: str) -> Resource:
    listing = Listing(instances=[Instance(name=str(instance.resource_name)) for instance in config.instances])
    found = parse_name(resolve_instance(name, listing))
    region = config.regions.get(found.region)
    instance = region.instances.get(found.instance or "") if region is not None else None
    if region is None or instance is None:
        raise CommandError(f"{found} is not in {config.path}.", "Name one of its instances.", ExitStatus.NOT_FOUND)
    return region.resource(instance)


def _as_json(explanation: Explanation) -> dict[str, object]:
    return {
        "allowed": explanation.decision.allowed,
        "rule": explanation.decision.rule,
        "version": explanation.decision.version,
        "resource": explanation.resource,
        "clear_classes": sorted(explanation.clear_classes),
        "principals": [asdict(principal) for principal in explanation.principals],
    }


def _view(explanation: Explanation) -> Iterator[Text]:
    decision = explanation.decision
    word, style = ("allowed", "bold green") if decision.allowed else ("denied", "bold red")
    yield plain(f"{word}: {explanation.act} on {explanation.resource}", style)
    yield plain(f"by {decision.rule}, policy version {decision.version}")
    yield plain(f"in clear: {', '.join(sorted(explanation.clear_classes)) or 'nothing'}")
    for principal in explanation.principals:
        yield plain(f"{principal.subject} ({', '.join(principal.holds) or 'holds nothing'})", "bold")
        for rule in principal.matched:
            yield plain(f"  {rule.effect}  {rule.id}  {rule.text}")
        for rule in principal.near:
            yield plain(f"  no match  {rule.id}  {rule.text}: {rule.mismatch}", "dim")
