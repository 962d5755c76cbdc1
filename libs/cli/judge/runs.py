"""Runs a candidate to the end: progress on standard error, and on again with a fresh token where one has run out."""

from __future__ import annotations

from collections.abc import Callable

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output
from libs.client import CallError, StorexClient
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, GetRunRequest, Outcome, Run, RunCandidateRequest

LONGEST_CALL_SECONDS = 24 * 3600.0
_EXPIRED = "TOKEN_EXPIRED"


def run_to_the_end(connect: Callable[[], StorexClient], request: RunCandidateRequest, output: Output) -> Run:
    """The run with all its outcomes. Raises CallError and CommandError."""
    request = _copy(request)
    while True:
        with connect() as client:
            try:
                _follow(client, request, output)
                return client.call(client.judge.GetRun, GetRunRequest(run_id=request.run_id)).run
            except CallError as error:
                if error.reason == "SCENARIO_NOT_FOUND" and not (request.run_id or request.scenario_ids):
                    remedy = "Add some: storex judge add FILE, or storex judge record INCIDENT --to FOLDER first."
                    raise CommandError(
                        "There are no scenarios that you may see.", remedy, ExitStatus.NOT_FOUND
                    ) from None
                if error.reason != _EXPIRED or not request.run_id:
                    _say_how_to_go_on(request, output)
                    raise
            except KeyboardInterrupt:
                _say_how_to_go_on(request, output)
                raise


def _say_how_to_go_on(request: RunCandidateRequest, output: Output) -> None:
    if request.run_id:
        rubric = f" --rubric {request.rubric}" if request.rubric else ""
        output.note(f"What was done is kept. Go on with: storex judge run {request.run_id}{rubric}")


def _follow(client: StorexClient, request: RunCandidateRequest, output: Output) -> None:
    """Call once; from the first answer on, the request goes on with that run."""
    for message in client.stream(client.judge.RunCandidate, request, seconds=LONGEST_CALL_SECONDS):
        if not request.run_id or request.HasField("candidate"):
            parallel, rubric = request.parallel, request.rubric
            request.Clear()
            request.run_id, request.parallel, request.rubric = message.run.run_id, parallel, rubric
            output.note(f"{message.run.run_id}: {message.run.planned} replays of {message.run.candidate.name}")
        if message.outcome.HasField("grading"):
            output.note(_graded(message.outcome))
        elif message.HasField("outcome"):
            output.note(f"{message.run.done}/{message.run.planned} {_line(message.outcome)}")
    if not request.run_id:
        raise CommandError("The judge ended without beginning a run.", "Try again.")


def _line(outcome: Outcome) -> str:
    name = _name(outcome)
    if outcome.status != OUTCOME_STATUS_SCORED:
        return f"{name}: harness error: {outcome.problem}"
    exact = next((score for score in outcome.scores if score.scorer == "cause_set"), None)
    if exact is None or exact.value == 1:
        return f"{name}: right"
    return f"{name}: {exact.reason}"


def _name(outcome: Outcome) -> str:
    return f"{outcome.scenario_id} #{outcome.repeat}" if outcome.repeat else outcome.scenario_id


def _graded(outcome: Outcome) -> str:
    name = _name(outcome)
    if outcome.grading.status != GRADING_STATUS_GRADED:
        return f"{name}: not graded: {outcome.grading.problem}"
    against = [answer.question_id for answer in outcome.grading.answers if not answer.favourable]
    return f"{name}: graded: {', '.join(against) if against else 'nothing against it'}"


def _copy(request: RunCandidateRequest) -> RunCandidateRequest:
    copy = RunCandidateRequest()
    copy.CopyFrom(request)
    return copy
