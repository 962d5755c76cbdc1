from __future__ import annotations

from libs.llm import Message
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, ToolRequest, Turn
from services.agent.reasoners.model.compaction import MAX_CONVERSATION, WHOLE_TURNS, compacted, earlier_turns
from services.agent.records import SUCCESS
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import claimed, health_record, record, report_on


def _conversation(calls: int, size: int) -> tuple[list[Message], dict[str, CallOutcome]]:
    messages, outcomes = [Message("system", "You investigate."), Message("user", "why?")], {}
    for number in range(calls):
        found = record("get_lock_waits", answers.lock_waits())
        outcomes[f"m{number}"] = CallOutcome(
            ToolRequest("get_lock_waits", {"name": NAME}), "call_0_1", SUCCESS, (found,)
        )
        messages.append(Message("tool", "x" * size, call_id=f"m{number}"))
    return messages, outcomes


def test_a_long_conversation_keeps_its_newest_answers_and_a_line_with_the_id_of_each_old_one() -> None:
    messages, outcomes = _conversation(20, 8000)
    short = compacted(messages, outcomes, ModelView())
    assert sum(len(message.text) for message in short) <= MAX_CONVERSATION
    assert short[:2] == messages[:2]
    assert short[-2:] == messages[-2:]
    assert "get_lock_waits" in short[2].text
    assert "show_more with call call_0_1" in short[2].text
    assert [message.call_id for message in short] == [message.call_id for message in messages]
    assert compacted(short, outcomes, ModelView()) == short


def test_a_short_conversation_is_left_alone() -> None:
    messages, outcomes = _conversation(3, 100)
    assert compacted(messages, outcomes, ModelView()) == messages


def _turn(number: int) -> Turn:
    finding = answers.blocker_finding()
    records = [
        record("get_overview", answers.overview()),
        health_record(answers.health(finding)),
        record("get_lock_waits", answers.lock_waits()),
    ]
    return Turn(f"question {number}", report_on(records, claimed(finding)), 1_900_000_000.0)


def test_old_questions_are_verified_facts_with_the_ids_of_their_records_and_no_names() -> None:
    view = ModelView()
    turns = [*(_turn(number) for number in range(5)), Turn("cut short", None, 0.0)]
    messages = earlier_turns(turns, view)
    facts, _, *whole = messages
    assert len(whole) == 2 * WHOLE_TURNS
    assert [message.text for message in whole if message.role == "user"] == ["question 3", "question 4"]
    assert facts.text.count("lock.row_blocker on") == 3
    assert "confirmed" in facts.text
    assert "call_0_get_lock_waits get_lock_waits holders[0]" in facts.text
    assert "holder connection_id 812" in facts.text
    said = "\n".join(message.text for message in messages)
    assert "cut short" not in said
    for name in ("orders_batch", "10.0.0.7"):
        assert name not in said
