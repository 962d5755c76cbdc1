"""Following a run: how it goes on after an interruption, and what is said where there is nothing to replay."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.judge.runs import run_to_the_end
from libs.cli.output import Output
from libs.client import CallError
from storex.judge.v1.judge_pb2 import Run, RunCandidateRequest, RunCandidateResponse

UNAVAILABLE = CallError("JUDGE_UNAVAILABLE", "UNAVAILABLE", "The judge service does not answer.")


class Judge:
    """A client whose judge tells of a run, or not, and then fails."""

    judge = SimpleNamespace(RunCandidate="run", GetRun="get")

    def __init__(self, failure: BaseException, *, began: bool = True) -> None:
        self.failure, self.began = failure, began

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stream(self, _method: str, _request: Any, seconds: float) -> Iterator[RunCandidateResponse]:
        assert seconds > 0
        if self.began:
            yield RunCandidateResponse(run=Run(run_id="run_7", planned=3))
        raise self.failure


def followed(judge: Judge, **fields: Any) -> None:
    run_to_the_end(lambda: judge, RunCandidateRequest(**fields), Output(as_json=False))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("failure", [UNAVAILABLE, KeyboardInterrupt()], ids=["killed", "interrupted"])
def test_an_interrupted_run_says_how_to_go_on(failure: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(failure)):
        followed(Judge(failure), rubric="standard")
    assert "Go on with: storex judge run run_7 --rubric standard" in " ".join(capsys.readouterr().err.split())


def test_one_that_never_began_says_nothing_of_going_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CallError):
        followed(Judge(UNAVAILABLE, began=False))
    assert "Go on" not in capsys.readouterr().err


def test_where_there_are_no_scenarios_it_is_said_how_to_get_some() -> None:
    missing = CallError("SCENARIO_NOT_FOUND", "NOT_FOUND", "There is no such scenario.")
    with pytest.raises(CommandError, match="no scenarios that you may see") as told:
        followed(Judge(missing, began=False))
    assert told.value.status is ExitStatus.NOT_FOUND
    with pytest.raises(CallError):
        followed(Judge(missing, began=False), scenario_ids=["a"])
