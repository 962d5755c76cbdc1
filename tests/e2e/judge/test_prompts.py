"""A prompt is changed as the guide says, and its model answers worse: the gate says in which family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.cli.failures import ExitStatus
from services.agent.prompts.prompt import PROMPTS
from tests.e2e.judge.conftest import JudgeMesh
from tests.e2e.judge.model import Causes, reads_and_reports

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LATEST = max(int(path.stem) for path in (PROMPTS / "lead").glob("*.md"))
ADDED = "Locks come and go by themselves: never report one."


def obedient(request: dict[str, Any]) -> Any:
    """A model that does what the prompt says: with the sentence it leaves locks out."""

    def without_locks(causes: Causes) -> Causes:
        return [cause for cause in causes if not cause["kind"].startswith("lock.")]

    told = ADDED in request["messages"][0]["content"]
    return reads_and_reports(request, without_locks) if told else reads_and_reports(request)


@pytest.fixture
def prompts(judged: JudgeMesh) -> Iterator[Path]:
    """The folder of one's own prompts, with a new version of the lead's: a copy with one more sentence."""
    path = judged.folder / "prompts" / "lead" / f"{LATEST + 1}.md"
    path.write_text(f"{(PROMPTS / 'lead' / f'{LATEST}.md').read_text()}\n{ADDED}\n")
    with judged.model.doing(obedient):
        yield path
    path.unlink()


def candidate(folder: Path, name: str, **settings: object) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "reasoner": "scripted", **settings}))
    return str(path)


@pytest.mark.usefixtures("prompts")
def test_a_worse_prompt_is_kept_out_and_its_family_named(judged: JudgeMesh, tmp_path: Path) -> None:
    ids = judged.copies("lock.row_blocker", "prompt-lock", 2) + judged.copies("query.missing_index", "prompt-query", 1)
    ids += judged.copies("healthy", "prompt-healthy", 1)
    only = [word for scenario_id in ids for word in ("--scenario", scenario_id)]
    now = candidate(tmp_path, "now")
    same = judged.storex.run("judge", "gate", "--baseline", now, "--candidate", now, *only)
    assert same.status == 0, same.stdout

    new = candidate(tmp_path, "new-prompt", prompts={"lead": f"lead@{LATEST + 1}"})
    page = tmp_path / "summary.md"
    gate = judged.storex.run("judge", "gate", "--baseline", now, "--candidate", new, *only, "--markdown", str(page))
    assert gate.status == ExitStatus.FAILED
    told = page.read_text().partition("\n| ")[0].replace("\\", "")
    assert "- lock: own_report fell from 1.00 to 0.00 over 2 scenarios" in told
    assert "query:" not in told
    assert "healthy:" not in told
    assert "the model overlooked a cause" in gate.stdout

    model = judged.model.endpoint
    assert model is not None
    assert {ADDED in request["messages"][0]["content"] for request in model.requests} == {True, False}


@pytest.mark.parametrize(
    ("reference", "problem"),
    [(f"lead@{LATEST + 2}", "no usable prompt"), (f"lead@{LATEST}", ""), ("../lead@1", "no usable prompt")],
)
def test_a_prompt_that_there_is_not_is_told(judged: JudgeMesh, tmp_path: Path, reference: str, problem: str) -> None:
    [scenario] = judged.copies("lock.row_blocker", "no-prompt", 1)
    file = candidate(tmp_path, "missing", prompts={"lead": reference})
    done = judged.storex.json("judge", "run", file, "--scenario", scenario)
    assert problem in done["outcomes"][0]["problem"]
    assert bool(problem) == bool(done["outcomes"][0]["problem"])
