from __future__ import annotations

from services.agent.inquiry import Hypothesis
from services.agent.loop.hypotheses import Hypotheses
from storex.agent.v1 import agent_pb2, report_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import health_record

_KIND = "lock.row_blocker"


class Told:
    def __init__(self) -> None:
        self.events: list[agent_pb2.Hypothesis] = []
        self.hypotheses = Hypotheses(self._emit)

    async def _emit(self, event: agent_pb2.AskResponse) -> None:
        self.events.append(event.hypothesis)

    def states(self) -> list[str]:
        names = (agent_pb2.HypothesisState.Name(event.state) for event in self.events)
        return [name.removeprefix("HYPOTHESIS_STATE_") for name in names]


async def test_a_cause_rises_falls_and_is_told_only_when_it_moves() -> None:
    told = Told()
    for confidence in (0.4, 0.4, 0.8, 0.3):
        await told.hypotheses.weigh(Hypothesis(_KIND, confidence, "why", NAME))
    assert told.states() == ["RAISED", "STRENGTHENED", "WEAKENED"]
    assert [round(event.previous_confidence, 1) for event in told.events] == [0.0, 0.4, 0.8]
    assert {event.name for event in told.events} == {NAME}


async def test_a_reading_raises_what_it_shows_and_drops_what_it_does_not_show_any_more() -> None:
    told = Told()
    await told.hypotheses.read(health_record(answers.health(answers.blocker_finding())))
    await told.hypotheses.read(health_record(answers.health()))
    assert told.states() == ["RAISED", "DROPPED"]
    assert told.events[-1].confidence == 0
    assert "does not show it" in told.events[-1].reason


async def test_what_another_finding_explains_is_given_up_for_it() -> None:
    told = Told()
    blocker, symptom = answers.blocker_finding(), answers.missing_index_finding()
    await told.hypotheses.weigh(Hypothesis(symptom.kind, 0.7, "a guess", NAME))
    blocker.explains.append(symptom.id)
    await told.hypotheses.read(health_record(answers.health(blocker, symptom)))
    dropped = [event for event in told.events if event.state == agent_pb2.HYPOTHESIS_STATE_DROPPED]
    assert [(event.kind, event.reason) for event in dropped] == [(symptom.kind, f"{blocker.kind} explains it")]


async def test_the_report_confirms_one_and_drops_the_rest() -> None:
    told = Told()
    await told.hypotheses.weigh(Hypothesis(_KIND, 0.6, "why", NAME))
    await told.hypotheses.weigh(Hypothesis("connections.leak", 0.5, "why", NAME))
    report = report_pb2.Report(verdict=report_pb2.VERDICT_CONFIRMED)
    report.root_causes.add(kind=_KIND, confidence=0.9, name=NAME)
    report.ruled_out.add(kind="connections.leak", reason="few connections")
    await told.hypotheses.settle(report)
    assert told.states()[2:] == ["CONFIRMED", "DROPPED"]
    assert told.events[-1].reason == "few connections"
