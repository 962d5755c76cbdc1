"""`storex policy`: which rule decides, and whether the rules are what they are meant to be, without a running mesh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    from libs.policy import PolicyError, Problem
    from libs.policy.explain import Explanation

FolderArgument = Annotated[
    Path | None, typer.Argument(help="The folder of policy files; without it, that of storex.yaml.", show_default=False)
]

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


@app.command("test")
def check_tables(folder: FolderArgument = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Check the tables (*.test.yaml) of a policy folder against its rules."""
    from libs.policy import PolicyError
    from libs.policy.tables import run_tables

    chosen = _folder(folder, file)
    if chosen is None:
        raise CommandError("No policy folder to test.", "Name one, or set `policy:`.", ExitStatus.USAGE)
    try:
        report = run_tables(chosen)
    except PolicyError as error:
        raise _broken(error) from error
    summary = f"{report.checked} checked, {len(report.failures)} failed"
    _tell(report.failures, summary, {"checked": report.checked}, as_json=as_json)


@app.command("lint")
def lint(folder: FolderArgument = None, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Find rules that do nothing, contradict each other, or allow more than is likely meant."""
    from libs.policy import PolicyError
    from libs.policy.lint import lint_folder

    try:
        findings = lint_folder(_folder(folder, file))
    except PolicyError as error:
        raise _broken(error) from error
    _tell(findings, f"{len(findings)} findings", {}, as_json=as_json)


def _folder(folder: Path | None, file: Path | None) -> Path | None:
    return folder if folder is not None else load_config(config_file(file)).policy


def _broken(error: PolicyError) -> CommandError:
    return CommandError(str(error), "Mend the policy's files.", ExitStatus.CONFIG)


def _tell(problems: Sequence[Problem], summary: str, data: dict[str, object], *, as_json: bool) -> None:
    """Show problems line by line, then the summary; with any, the command ends as failed."""
    output = Output(as_json=as_json)
    if as_json:
        output.json({**data, "problems": [asdict(problem) for problem in problems]})
    else:
        output.show(*(plain(f"{problem} [{problem.code}]" if problem.code else str(problem)) for problem in problems))
        output.note(summary)
    if problems:
        raise typer.Exit(ExitStatus.FAILED)


def _explain(config: StorexConfig, path: Path, permission: str, name: str, user: str, *, agent: bool) -> Explanation:
    from libs.identity import Principal
    from libs.policy import PolicyError, load_policy

    person, resource = find_user(user, path), _resource(config, name)
    never = float("inf")
    principals = [Principal(f"user:{person.name}", "user", frozenset(person.teams), frozenset(person.roles), never)]
    if agent:
        principals.append(Principal("service:agent", "service", frozenset(), frozenset({"agent"}), never))
    try:
        snapshot = load_policy(config.policy, region=resource.region)
    except PolicyError as error:
        raise _broken(error) from error
    if permission not in snapshot.vocabulary.permissions:
        known = ", ".join(sorted(snapshot.vocabulary.permissions))
        raise CommandError(f"There is no permission {permission!r}.", f"There is {known}.", ExitStatus.USAGE)
    return snapshot.explain(principals, permission, resource)


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
