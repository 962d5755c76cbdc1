from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from libs.cli.failures import CommandError
from libs.cli.judge.files import read_candidate, read_scenarios
from libs.cli.judge.folders import add_scenarios
from libs.cli.judge.junit import comparison_junit
from libs.cli.judge.markdown import comparison_markdown
from libs.cli.judge.recording import record_into
from libs.cli.judge.side_by_side import SideBySide, beside
from libs.cli.judge.tables import comparison_view, scenarios_side_by_side
from libs.cli.session import Place
from libs.client import StorexClient
from libs.lab.errors import IncidentError
from storex.judge.v1.comparison_pb2 import Comparison
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Run

SCENARIO = """
scenario_id: blocker
world: regions/lab/instances/a/snapshots/s
questions:
  - why is it slow?
truth:
  root_causes:
    - kind: lock.row_blocker
      entities: [{role: holder, type: connection_id, value: "14"}]
"""


def comparison() -> Comparison:
    made = Comparison(baseline_name="now", candidate_name="new|prompt")
    made.problems.append("lock: cause_set fell from 1.00 to 0.00 over 1 scenarios, beyond noise.")
    made.problems.append("The candidate's run is short.")
    made.differences.add(
        family="lock", scorer="cause_set", baseline=1, low=-1, high=-1, scenarios=1, regression=True, gates=True
    )
    made.differences.add(family="query", scorer="cause_set", baseline=1, candidate=1, scenarios=2, gates=True)
    made.differences.add(family="", scorer="tool_calls", baseline=3, candidate=9, low=5, high=7, scenarios=3)
    made.worse.add(
        scenario_id="blocker",
        family="lock",
        reasons=["cause_set: <b>not named</b>"],
        baseline_transcript=["? why"],
        candidate_transcript=["```", "</details>"],
    )
    return made


def test_scenarios_and_candidates_are_yaml_in_the_words_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SCENARIO)
    (scenario,) = read_scenarios(tmp_path)
    assert scenario.truth.root_causes[0].entities[0].value == "14"
    several = tmp_path / "several.yaml"
    several.write_text("- {scenario_id: a}\n- {scenario_id: b}\n")
    assert [one.scenario_id for one in read_scenarios(several)] == ["a", "b"]
    path = tmp_path / "worse.yaml"
    path.write_text("without_tools: [get_lock_waits]\n")
    assert (read_candidate(path).name, list(read_candidate(path).without_tools)) == ("worse", ["get_lock_waits"])


@pytest.mark.parametrize("text", ["a: [", "- 1", "unknown: 1", "without_tools: 7"])
def test_a_file_that_is_none_is_told_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(CommandError) as raised:
        read_candidate(path)
    assert str(path) in raised.value.message
    assert raised.value.remedy


def test_no_file_at_all(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(CommandError):
            read_scenarios(path)


def test_regressions_come_first_and_a_failure_says_so() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*comparison_view(comparison()))
    shown = capture.get()
    assert shown.startswith("FAILED  new|prompt against now")
    assert shown.index("cause_set") < shown.index("tool_calls")
    assert "regression" in shown
    assert "+6 (+5 to +7)" in shown


def test_the_summary_cannot_be_broken_out_of() -> None:
    page = comparison_markdown(comparison())
    assert "new\\|prompt" in page
    assert "<b>" not in page
    assert page.count("\n</details>") == 1


def test_build_servers_get_a_failure_a_family_and_one_for_unsound_runs() -> None:
    root = ElementTree.fromstring(comparison_junit(comparison()))
    found = {suite.get("name"): suite.get("failures") for suite in root}
    assert found == {"soundness": "1", "lock": "1", "query": "0"}
    (failure,) = root.findall("./testsuite[@name='lock']/testcase/failure")
    assert "blocker" in (failure.text or "")
    assert (root.get("tests"), root.get("failures")) == ("3", "2")
    (sound,) = root.findall("./testsuite[@name='soundness']/testcase/failure")
    assert sound.get("message") == "The candidate's run is short."


def test_transcripts_stand_beside_each_other_and_what_differs_is_marked() -> None:
    rows = list(beside(["? why", "> get_health", "= lock"], ["? why", "= nothing", "! gave up", "late"]))
    assert rows == [
        ("? why", "", "? why"),
        ("> get_health", "|", "= nothing"),
        ("= lock", "|", "! gave up"),
        ("", ">", "late"),
    ]
    console = Console(width=60)
    with console.capture() as capture:
        console.print(SideBySide(("was", "is"), ["x" * 70, "same"], ["y", "same"]))
    shown = capture.get().splitlines()
    assert max(map(len, shown)) <= 60
    assert "".join(shown).count("x") == 70, "a long line is folded, not cut"


def test_two_runs_are_shown_scenario_by_scenario_and_repeat_by_repeat() -> None:
    def side(name: str, value: float) -> Run:
        run = Run(run_id=f"run_{name}")
        run.candidate.name = name
        for repeat in range(2):
            outcome = run.outcomes.add(scenario_id="a", repeat=repeat, status=OUTCOME_STATUS_SCORED)
            outcome.transcript.append(f"{name} looked")
            outcome.scores.add(scorer="cause_set", value=value, reason="" if value else "lock.metadata is not there")
        return run

    first, second = side("now", 1), side("new", 0)
    del second.outcomes[1]
    console = Console(width=160)
    with console.capture() as capture:
        console.print(*scenarios_side_by_side([first, second], ["a"]))
    shown = capture.get()
    assert "a #1" in shown
    assert "not replayed" in shown
    assert "cause_set 0: lock.metadata is not there" in shown
    assert "now (run_now)" in shown


def test_worlds_that_are_files_need_an_instance(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SCENARIO.replace("regions/lab/instances/a/snapshots/s", "one.world"))
    nobody = StorexClient("127.0.0.1:9", str)
    with pytest.raises(CommandError, match=r"the file one\.world"):
        list(add_scenarios(nobody, Place(tmp_path, None), read_scenarios(tmp_path), tmp_path, ""))
    with pytest.raises(CommandError, match="There is no file"):
        list(add_scenarios(nobody, Place(tmp_path, None), read_scenarios(tmp_path), tmp_path, "a"))


def test_an_incident_or_engine_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(IncidentError, match=r"lock\.gremlins"):
        record_into(tmp_path, ["healthy", "lock.gremlins"], "", 1, print)
    with pytest.raises(CommandError, match="no oracle"):
        record_into(tmp_path, ["healthy"], "oracle", 1, print)
