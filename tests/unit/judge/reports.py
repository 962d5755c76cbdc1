"""Reports, truths and runs for tests, as short as they can be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storex.agent.v1.report_pb2 import Report, Verdict
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Truth

Entity = tuple[str, str, str]


def report(causes: Mapping[str, Iterable[Entity]], verdict: str = "CONFIRMED") -> Report:
    """A report with these causes, each citing the one piece of evidence."""
    written = Report(verdict=Verdict.Value(f"VERDICT_{verdict}"))
    written.evidence.add(tool="get_health", path="health", value="x")
    for kind, entities in causes.items():
        cause = written.root_causes.add(kind=kind, evidence_refs=[0])
        for role, type_, value in entities:
            cause.entities.add(role=role, type=type_, value=value)
    return written


def truth(causes: Mapping[str, Iterable[Entity]]) -> Truth:
    """A truth with these causes."""
    there = Truth()
    for kind, entities in causes.items():
        cause = there.root_causes.add(kind=kind)
        for role, type_, value in entities:
            cause.entities.add(role=role, type=type_, value=value)
    return there


def run(name: str, values: Mapping[tuple[str, str], Iterable[float | None]], scorer: str = "cause_set") -> Run:
    """A run whose scenarios, by id and family, scored these values, one a repeat; None is a harness error."""
    lists = {key: list(found) for key, found in values.items()}
    repeats = max(map(len, lists.values()), default=0)
    made = Run(run_id=f"run-{name}", repeats=repeats, planned=repeats * len(lists))
    made.candidate.name = name
    for (scenario, family), found in lists.items():
        made.scenario_ids.append(scenario)
        for repeat, value in enumerate(found):
            outcome = Outcome(scenario_id=scenario, family=family, repeat=repeat, tool_calls=4)
            outcome.transcript.append(f"{name} looked")
            if value is None:
                outcome.status, outcome.problem = OUTCOME_STATUS_HARNESS_ERROR, "SHARD_UNAVAILABLE: no answer."
            else:
                outcome.status = OUTCOME_STATUS_SCORED
                outcome.scores.add(scorer=scorer, value=value, reason="" if value == 1 else "not right")
            made.outcomes.append(outcome)
    return made
