"""Records worlds of the lab's incidents, replays candidates over them, and checks what the gate says of each.

    python -m tests.evaluation [--incident ID ...] [--repeats N] [--parallel N]

Ends with 0 when the gate lets the present agent through and catches each of the worse ones in a family that it names.
Summaries are written to build/evaluation/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.cli.judge.recording import LabMesh, lab_mesh, record_all
from libs.lab.engines import require_engines
from libs.lab.incidents import INCIDENTS

FOLDER = Path(__file__).parent / "candidates"
RESULTS = Path(__file__).parents[2] / "build" / "evaluation"
BASELINE = "builtin"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the gate is to say of a candidate: nothing, or a regression in this family (any, where it is empty)."""

    candidate: str
    passes: bool = False
    family: str = ""


EXPECTED = (
    Expectation(BASELINE, passes=True),
    Expectation("lost-tool", family="lock"),
    Expectation("disabled-rule", family="query"),
    Expectation("loudest", family="lock"),
)


def main(arguments: Sequence[str]) -> int:
    """Run the evaluation; returns the exit status."""
    options = _options(arguments)
    incidents = [INCIDENTS[name] for name in options.incident or INCIDENTS]
    RESULTS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with lab_mesh() as mesh:
        binary = require_engines()[0]
        recorded = len(record_all(mesh, incidents, binary, options.at_once, _say, keep=lambda scenario: scenario))
        _say(f"{recorded} worlds of {len(incidents)} incidents in {time.monotonic() - began:.0f} s")
        if not recorded:
            return 1
        baseline = _run_baseline(mesh, options)
        verdicts = [_judge(mesh, expectation, baseline, options) for expectation in EXPECTED]
    _say(
        f"{sum(verdicts)} of {len(verdicts)} candidates were judged as they should be, {time.monotonic() - began:.0f} s"
    )
    return 0 if all(verdicts) and recorded == len(incidents) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation")
    parser.add_argument("--incident", action="append", choices=list(INCIDENTS), help="only this one; may be repeated")
    parser.add_argument("--repeats", type=int, default=1, help="how often each candidate goes through each world")
    parser.add_argument("--parallel", type=int, default=4, help="how many replays at a time")
    parser.add_argument("--at-once", type=int, default=2, help="how many incidents are recorded at a time")
    return parser.parse_args(arguments)


def _run_baseline(mesh: LabMesh, options: argparse.Namespace) -> str:
    """Replay the worlds through the present agent, tell how often it is right, and return the run's id."""
    done = _storex(mesh, "run", str(FOLDER / f"{BASELINE}.yaml"), "--json", *_how(options))
    (RESULTS / "baseline.json").write_text(done.stdout, encoding="utf-8")
    run = json.loads(done.stdout)
    values = [_value(outcome, "cause_set") for outcome in run["outcomes"]]
    _say(f"{BASELINE}: exact in {values.count(1.0)} of {len(values)} replays")
    for outcome, value in zip(run["outcomes"], values, strict=True):
        if value != 1.0:
            reasons = [score["reason"] for score in outcome["scores"] if score["reason"]] or [outcome["problem"]]
            _say(f"     {outcome['scenario_id']}: {reasons[0]}")
    return str(run["run_id"])


def _value(outcome: dict[str, Any], scorer: str) -> float | None:
    return next((score["value"] for score in outcome["scores"] if score["scorer"] == scorer), None)


def _judge(mesh: LabMesh, expectation: Expectation, baseline: str, options: argparse.Namespace) -> bool:
    """Whether the gate says of the candidate what it should."""
    summary = RESULTS / f"{expectation.candidate}.md"
    began = time.monotonic()
    sides = ["--baseline", baseline, "--candidate", str(FOLDER / f"{expectation.candidate}.yaml")]
    files = ["--markdown", str(summary), "--junit", str(summary.with_suffix(".xml"))]
    done = _storex(mesh, "gate", *sides, *files, *_how(options))
    (RESULTS / f"{expectation.candidate}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    page = summary.read_text(encoding="utf-8") if summary.is_file() else ""
    told = page.partition("\n| ")[0]  # what stands against the candidate comes before the table
    caught = f"- {expectation.family}: " in told.replace("\\", "")
    right = done.returncode == 0 if expectation.passes else done.returncode == 1 and caught
    says = "let through" if done.returncode == 0 else f"kept out (exit {done.returncode})"
    _say(f"{'ok ' if right else 'NOT AS EXPECTED '}{expectation.candidate}: {says}, {time.monotonic() - began:.0f} s")
    for problem in [row for row in told.splitlines() if row.startswith("- ")]:
        _say(f"     {problem[2:]}")
    return right


def _how(options: argparse.Namespace) -> list[str]:
    return ["--repeats", str(options.repeats), "--parallel", str(options.parallel)]


def _storex(mesh: LabMesh, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "libs.cli", "judge", *words, "--file", str(mesh.config_path)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
