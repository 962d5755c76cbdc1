"""`storex judge`: replay recorded worlds through candidate agents, and keep a worse one out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.judge.files import read_candidate, read_scenarios
from libs.cli.judge.folders import add_scenarios
from libs.cli.judge.junit import comparison_junit
from libs.cli.judge.labels import labels_page, read_labels
from libs.cli.judge.markdown import comparison_markdown
from libs.cli.judge.runs import run_to_the_end
from libs.cli.judge.tables import comparison_view, run_view, runs_view, scenarios_side_by_side, scenarios_view
from libs.cli.output import Output, proto_json
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, Place, StateDirOption, UserOption, connect
from libs.client import StorexClient
from storex.judge.v1 import judge_pb2
from storex.judge.v1.comparison_pb2 import Comparison

app = typer.Typer(help="Compare agents on recorded worlds.", no_args_is_help=True)

ScenarioOption = Annotated[
    list[str] | None, typer.Option("--scenario", metavar="ID", help="Only this one; may be given again.")
]
RepeatsOption = Annotated[
    int, typer.Option("--repeats", min=1, max=50, help="How often each; answers that vary need 3 or more.")
]
ParallelOption = Annotated[int, typer.Option("--parallel", min=1, max=16, help="How many replays at a time.")]
RubricOption = Annotated[
    str, typer.Option("--rubric", metavar="NAME", help="Have a judging model grade the reports by it, e.g. `standard`.")
]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", help="Write a summary in Markdown here.")]
JunitOption = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")]
_RUN_ID = re.compile(r"run_[0-9a-f]+")


@app.command("add")
def add(
    path: Annotated[Path, typer.Argument(help="A YAML file of scenarios, or a folder of them.")],
    instance: Annotated[
        str,
        typer.Option("--instance", metavar="NAME", help="Take worlds that are files in as snapshots of this instance."),
    ] = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Add scenarios, or replace those of the same id."""
    scenarios = read_scenarios(path)
    output = Output(as_json=as_json)
    folder = path if path.is_dir() else path.parent
    with connect(file, state_dir, user) as client:
        kept = list(add_scenarios(client, Place.find(file, state_dir), scenarios, folder, instance))
    if as_json:
        output.json({"scenarios": [proto_json(scenario) for scenario in kept]})
    else:
        output.show(scenarios_view(kept))


@app.command("record")
def record(
    incidents: Annotated[list[str], typer.Argument(metavar="INCIDENT...", help="Of the lab's incidents, or `all`.")],
    target: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to put scenarios and worlds.")],
    engine: Annotated[
        str, typer.Option("--engine", help="mariadb or mysql; the first that is found if not given.")
    ] = "",
    at_once: Annotated[int, typer.Option("--at-once", min=1, max=8, help="How many incidents at a time.")] = 2,
) -> None:
    """Bring the lab's incidents about on servers of their own, and write them down for `add FOLDER --instance NAME`."""
    from libs.cli.judge.recording import record_into
    from libs.lab.errors import LabError

    output = Output(as_json=False)
    try:
        written, asked = record_into(target, incidents, engine, at_once, output.note)
    except LabError as error:
        raise CommandError(str(error)) from None
    for path in written:
        output.show(plain(str(path)))
    if len(written) < asked:
        raise typer.Exit(ExitStatus.FAILED)


@app.command("scenarios")
def scenarios(
    file: FileOption = None, state_dir: StateDirOption = None, user: UserOption = "admin", as_json: JsonOption = False
) -> None:
    """List the scenarios whose worlds you may read."""
    with connect(file, state_dir, user) as client:
        answer = client.call(client.judge.ListScenarios, judge_pb2.ListScenariosRequest(page_size=1000))
    output = Output(as_json=as_json)
    if as_json:
        output.json(proto_json(answer))
        return
    output.show(scenarios_view(answer.scenarios))
    if answer.undecided_count:
        output.note(f"Left out: {answer.undecided_count}, because their regions do not answer now.")


@app.command("run")
def run(
    candidate: Annotated[str, typer.Argument(help="A candidate's YAML file, or the id of a run to go on with.")],
    only: ScenarioOption = None,
    repeats: RepeatsOption = 1,
    parallel: ParallelOption = 4,
    rubric: RubricOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Replay scenarios through a candidate; fails where a replay has no score.

    What is done is kept: an interrupted run goes on by its id.
    """
    output = Output(as_json=as_json)
    request = _request(candidate, only, repeats, parallel, rubric)
    if request.run_id and (only or repeats > 1):
        remedy = "Leave --scenario and --repeats out, or name a candidate's file to begin another run."
        raise CommandError("A run goes on with what it began with.", remedy, ExitStatus.USAGE)
    done = run_to_the_end(lambda: connect(file, state_dir, user), request, output)
    if as_json:
        output.json(proto_json(done))
    else:
        output.show(*run_view(done))
    if done.done < done.planned:
        left = done.planned - done.done
        output.note(f"{left} without a score. Mend what is told of them, then go on: storex judge run {done.run_id}")
        raise typer.Exit(ExitStatus.FAILED)


@app.command("runs")
def runs(
    file: FileOption = None, state_dir: StateDirOption = None, user: UserOption = "admin", as_json: JsonOption = False
) -> None:
    """List your runs, newest first."""
    with connect(file, state_dir, user) as client:
        answer = client.call(client.judge.ListRuns, judge_pb2.ListRunsRequest(page_size=500))
    output = Output(as_json=as_json)
    if as_json:
        output.json(proto_json(answer))
    else:
        output.show(runs_view(answer.runs))


@app.command("show")
def show(
    run_id: Annotated[str, typer.Argument(help="One of `storex judge runs`.")],
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show a run with the outcome of each replay."""
    with connect(file, state_dir, user) as client:
        found = _run(client, run_id)
    output = Output(as_json=as_json)
    if as_json:
        output.json(proto_json(found))
    else:
        output.show(*run_view(found))


@app.command("label")
def label(
    run_id: Annotated[str, typer.Argument(help="A run that a judging model has graded.")],
    target: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to put the file.")],
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
) -> None:
    """Write a file with a run's reports and the rubric's questions, for people to answer; `gate --labels` reads it."""
    with connect(file, state_dir, user) as client:
        page = labels_page(_run(client, run_id))
    if target.exists():
        raise CommandError(f"{target} is there already.", "Name another file: answers are not written over.")
    target.write_text(page, encoding="utf-8")
    Output(as_json=False).note(f"{target}: answer its questions with yes or no, then give it to `gate --labels`.")


@app.command("compare")
def compare(
    baseline: Annotated[str, typer.Argument(help="A run that sets the standard.")],
    candidate: Annotated[str, typer.Argument(help="A run that is to be no worse.")],
    only: ScenarioOption = None,
    markdown: MarkdownOption = None,
    junit: JunitOption = None,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show two runs side by side, or with --scenario what both did there. Nothing is replayed, and nothing fails."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        request = judge_pb2.CompareRunsRequest(baseline_run_id=baseline, candidate_run_id=candidate)
        comparison = client.call(client.judge.CompareRuns, request).comparison
        ids = (baseline, candidate) if only else ()
        sides = [_run(client, run_id) for run_id in ids]
    _write(comparison, markdown, junit)
    if as_json:
        output.json([proto_json(side) for side in _only(sides, only)] if only else proto_json(comparison))
    elif only:
        output.show(*scenarios_side_by_side(_only(sides, only), only))
    else:
        output.show(*comparison_view(comparison))


@app.command("gate")
def gate(
    baseline: Annotated[str, typer.Option("--baseline", help="A candidate's YAML file, or the id of a run.")],
    candidate: Annotated[str, typer.Option("--candidate", help="What is to be no worse: a file or a run's id.")],
    only: ScenarioOption = None,
    repeats: RepeatsOption = 1,
    parallel: ParallelOption = 4,
    rubric: RubricOption = "",
    labels: Annotated[
        Path | None, typer.Option("--labels", help="What people say of graded reports; see `storex judge label`.")
    ] = None,
    markdown: MarkdownOption = None,
    junit: JunitOption = None,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Fail if the candidate is worse than the baseline in any family, or if the runs prove nothing."""
    output = Output(as_json=as_json)
    by_people = read_labels(labels) if labels is not None else []

    def client() -> StorexClient:
        return connect(file, state_dir, user)

    requests = [_request(side, only, repeats, parallel, rubric) for side in (baseline, candidate)]
    ids = [run_to_the_end(client, one, output).run_id for one in requests]
    with client() as open_client:
        request = judge_pb2.CompareRunsRequest(baseline_run_id=ids[0], candidate_run_id=ids[1], labels=by_people)
        comparison = open_client.call(open_client.judge.CompareRuns, request).comparison
    _write(comparison, markdown, junit)
    if as_json:
        output.json(proto_json(comparison))
    else:
        output.show(*comparison_view(comparison))
    if not comparison.passed:
        raise typer.Exit(ExitStatus.FAILED)


def _run(client: StorexClient, run_id: str) -> judge_pb2.Run:
    """A run with its outcomes. Raises CallError."""
    return client.call(client.judge.GetRun, judge_pb2.GetRunRequest(run_id=run_id)).run


def _request(
    side: str, only: list[str] | None, repeats: int, parallel: int, rubric: str
) -> judge_pb2.RunCandidateRequest:
    request = judge_pb2.RunCandidateRequest(parallel=parallel, rubric=rubric)
    if _RUN_ID.fullmatch(side):
        request.run_id = side
        return request
    request.candidate.CopyFrom(read_candidate(Path(side)))
    request.scenario_ids.extend(only or [])
    request.repeats = repeats
    return request


def _only(sides: list[judge_pb2.Run], only: list[str]) -> list[judge_pb2.Run]:
    """The runs with the outcomes of these scenarios. Raises CommandError for one that neither went through."""
    there = {outcome.scenario_id for side in sides for outcome in side.outcomes}
    if strange := [scenario for scenario in only if scenario not in there]:
        raise CommandError(f"Neither run has an outcome of {strange[0]}.", "`storex judge show RUN` lists them.")
    for side in sides:
        kept = [outcome for outcome in side.outcomes if outcome.scenario_id in only]
        del side.outcomes[:]
        side.outcomes.extend(kept)
    return sides


def _write(comparison: Comparison, markdown: Path | None, junit: Path | None) -> None:
    if markdown is not None:
        markdown.write_text(comparison_markdown(comparison), encoding="utf-8")
    if junit is not None:
        junit.write_bytes(comparison_junit(comparison))
