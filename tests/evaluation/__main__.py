"""Records worlds of the lab's incidents, replays candidates over them, and checks what the gate says of each.

    python -m tests.evaluation [--incident ID ...] [--repeats N] [--parallel N]

Ends with 0 when the gate lets the present agent through and catches each of the worse ones in a family that it names.
Summaries are written to build/evaluation/.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from libs.cli.judge.recording import LabMesh, lab_mesh, record
from libs.lab.engines import require_engines
from libs.lab.errors import LabError
from libs.lab.incidents import INCIDENTS, Incident

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
        recorded = _record_all(mesh, incidents, options.at_once)
        _say(f"{recorded} worlds of {len(incidents)} incidents in {time.monotonic() - began:.0f} s")
        if recorded < len(incidents):
            return 1
        verdicts = [_judge(mesh, expectation, options.repeats, options.parallel) for expectation in EXPECTED]
    _say(
        f"{sum(verdicts)} of {len(verdicts)} candidates were judged as they should be, {time.monotonic() - began:.0f} s"
    )
    return 0 if all(verdicts) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation")
    parser.add_argument("--incident", action="append", choices=list(INCIDENTS), help="only this one; may be repeated")
    parser.add_argument("--repeats", type=int, default=1, help="how often each candidate goes through each world")
    parser.add_argument("--parallel", type=int, default=4, help="how many replays at a time")
    parser.add_argument("--at-once", type=int, default=2, help="how many incidents are recorded at a time")
    return parser.parse_args(arguments)


def _record_all(mesh: LabMesh, incidents: Sequence[Incident], at_once: int) -> int:
    """How many could be recorded; what could not is told."""
    binary = require_engines()[0]

    def one(place: int) -> bool:
        try:
            scenario = record(mesh, incidents[place], binary, place)
        except LabError as error:
            _say(f"{incidents[place].id}: {error}")
            return False
        _say(f"recorded {scenario.scenario_id}")
        return True

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(one, range(len(incidents))))


def _judge(mesh: LabMesh, expectation: Expectation, repeats: int, parallel: int) -> bool:
    """Whether the gate says of the candidate what it should."""
    summary = RESULTS / f"{expectation.candidate}.md"
    line = [sys.executable, "-m", "libs.cli", "judge", "gate", "--file", str(mesh.config_path)]
    line += [
        "--baseline",
        str(FOLDER / f"{BASELINE}.yaml"),
        "--candidate",
        str(FOLDER / f"{expectation.candidate}.yaml"),
    ]
    line += ["--repeats", str(repeats), "--parallel", str(parallel)]
    line += ["--markdown", str(summary), "--junit", str(summary.with_suffix(".xml"))]
    began = time.monotonic()
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    (RESULTS / f"{expectation.candidate}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    told = summary.read_text(encoding="utf-8") if summary.is_file() else ""
    caught = f"- {expectation.family}: " in told.replace("\\", "")
    right = done.returncode == 0 if expectation.passes else done.returncode == 1 and caught
    says = "let through" if done.returncode == 0 else f"kept out (exit {done.returncode})"
    _say(f"{'ok ' if right else 'NOT AS EXPECTED '}{expectation.candidate}: {says}, {time.monotonic() - began:.0f} s")
    for problem in [row for row in told.splitlines() if row.startswith("- ")]:
        _say(f"     {problem[2:]}")
    return right


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
