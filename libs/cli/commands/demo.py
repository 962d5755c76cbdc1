"""`storex demo`: watch it find the cause of a real incident in a real database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.cli.demo.direction import Direction
from libs.cli.failures import CommandError, ExitStatus
from libs.cli.investigation import follow
from libs.cli.output import Output, proto_json
from libs.cli.program import command
from libs.cli.report import report_view
from libs.cli.report.wording import verdict_word
from libs.cli.session import JsonOption, UserOption, connect
from storex.agent.v1.agent_pb2 import AskRequest
from storex.agent.v1.report_pb2 import Report, Verdict

SETTLE_SECONDS = 3.0
"""How long the incident is left to do its harm before anybody asks, as it would be."""
WATCHED_SECONDS = 12.0
"""The same where nothing is wrong: that all is well is said of rates, and those take samples."""


def demo(
    incident: Annotated[str, typer.Option("--incident", help="One of `storex lab list`.")] = "lock.row_blocker",
    instance: Annotated[
        str,
        typer.Option("--instance", help="The instance that suffers it: payments-1, or its replica where it takes one."),
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up afterwards.")] = False,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Start a fleet of real databases, break one, ask why it is slow, check the answer, and clean up.

    Exit status 0 only if the report named what was injected.
    """
    primary = "payments-1" if _takes_a_replica(incident) else ""
    instance = instance or (f"{primary}-replica" if primary else "payments-1")
    output = Output(as_json=as_json)
    began = time.monotonic()
    with Direction(lambda told: _watch(told, output), [primary] if primary else []) as stage, _answering_ctrl_c(output):
        fleet = _raise_fleet(stage, output)
        name = _instance_name(fleet, instance)
        truth = stage.inject(incident, instance)
        output.note(f"! {name}: {truth['title']}.", "bold yellow")
        time.sleep(WATCHED_SECONDS if _is_control(incident) else SETTLE_SECONDS)
        asked = time.monotonic()
        report = _ask(Path(fleet["config"]), name, f"why is {instance} slow?", user, output)
        answered = time.monotonic()
        problems = _compare(truth, report)
        if as_json:
            seconds = {"ready_and_injected": asked - began, "answer": answered - asked}
            output.json({"report": proto_json(report), "truth": truth, "problems": problems, "seconds": seconds})
        else:
            output.show("", *report_view(report), "")
            _conclude(truth, problems, answered - asked, output)
        if keep:
            stage.keep()
            _suggest(fleet, name, report, output)
        else:
            output.note("Stopping everything …", "dim")
    if problems:
        raise typer.Exit(ExitStatus.FAILED)


@contextmanager
def _answering_ctrl_c(output: Output) -> Iterator[None]:
    """Say at once that Ctrl-C was heard: to take databases down takes seconds."""
    try:
        yield
    except KeyboardInterrupt:
        output.note("Stopping everything …", "dim")
        raise


def _takes_a_replica(incident: str) -> bool:
    """Whether the incident happens on a replica; fails where there is no such incident."""
    from libs.lab.incidents import INCIDENTS

    if incident not in INCIDENTS:
        raise CommandError(f"There is no incident {incident!r}.", f"There is {', '.join(INCIDENTS)}.", ExitStatus.USAGE)
    return INCIDENTS[incident].needs_replica


def _raise_fleet(stage: Direction, output: Output) -> dict[str, Any]:
    output.note("Starting databases and their clients …")
    fleet = stage.wait_for("fleet_ready")
    engines = sorted({instance["engine"] for instance in fleet["instances"].values()})
    count = len(fleet["instances"])
    output.note(f"{count} databases ({', '.join(engines)}) are at work after {fleet['seconds']:.1f} s.", "green")
    began = time.monotonic()
    stage.wait_for("mesh_ready")
    output.note(f"The mesh is ready after another {time.monotonic() - began:.1f} s.", "green")
    return fleet


def _instance_name(fleet: dict[str, Any], instance: str) -> str:
    if instance not in fleet["instances"]:
        known = ", ".join(fleet["instances"])
        raise CommandError(f"The lab has no instance {instance!r}.", f"It has {known}.", ExitStatus.USAGE)
    return str(fleet["instances"][instance]["name"])


def _ask(config: Path, name: str, question: str, user: str, output: Output) -> Report:
    output.note(f'$ storex ask {name} "{question}"', "bold")
    with connect(config, None, user) as client:
        return follow(client, AskRequest(target=name, question=question), output)


def _is_control(incident: str) -> bool:
    """Whether nothing is wrong in it."""
    return incident.partition(".")[0] == "healthy"


def _compare(truth: dict[str, Any], report: Report) -> list[str]:
    from libs.lab.truth import Truth

    problems = Truth.from_json(truth).unmet(
        (cause.kind, [(entity.role, entity.type, entity.value) for entity in cause.entities])
        for cause in report.root_causes
    )
    if _is_control(truth["kind"]) and report.verdict != Verdict.VERDICT_HEALTHY:
        problems.append(f"nothing is wrong, and the report says {verdict_word(report)}, not HEALTHY")
    return problems


def _conclude(truth: dict[str, Any], problems: list[str], seconds: float, output: Output) -> None:
    if problems:
        output.note("The report is not what was injected:", "bold red")
        for problem in problems:
            output.note(f"  {problem}", "red")
        return
    if _is_control(truth["kind"]):
        output.note(f"✓ Nothing is wrong, and the report says so, after {seconds:.1f} s.", "bold green")
        return
    named = " and ".join(_named(fault) for fault in (truth, *truth["also"]))
    output.note(f"✓ The report named what was injected: {named}, after {seconds:.1f} s.", "bold green")


def _named(fault: dict[str, Any]) -> str:
    parts = ", ".join(f"{role} {type_} {value}" for role, type_, value in fault["entities"])
    return f"{fault['kind']} ({parts})" if parts else str(fault["kind"])


def _suggest(fleet: dict[str, Any], name: str, report: Report, output: Output) -> None:
    file = fleet["config"]
    output.note("Everything stays up. Try:", "bold")
    for line in (
        command("fleet", file=file),
        command("diag", "lock_waits", name, file=file),
        command("ask", "--session", report.session_id, "which client is it? is it safe to kill?", file=file),
        command("ask", "--as", "payments-viewer", name, "why is it slow?", file=file),
        f"{command('down', file=file)}   # stops the mesh and the databases, and removes them",
    ):
        output.note(f"  {line}")


def _watch(told: dict[str, Any], output: Output) -> None:
    if told["event"] == "service_exited":
        output.note(f"{told['service']} {told['text']}; it is started again", "yellow")
