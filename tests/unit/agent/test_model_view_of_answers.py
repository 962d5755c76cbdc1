from __future__ import annotations

import json

import pytest

from libs.sensitivity.model_view import ModelView
from services.agent.reasoners.model.fencing import Fence
from services.agent.reasoners.model.more import shown_again
from services.agent.reasoners.model.submission import SubmissionError, parse_submission
from services.agent.reasoners.model.trimming import trimmed
from services.agent.records import Records
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME
from tests.unit.agent.recorded import record


def test_long_answers_lose_the_tails_of_their_longest_lists_and_say_so() -> None:
    answer = {"holders": [{"id": 1}], "waiters": [{"id": number, "table": "shop.orders"} for number in range(1000)]}
    text = trimmed([answer], limit=2000)
    assert len(text) <= 2000
    shown = json.loads(text)
    assert shown["holders"] == [{"id": 1}]
    assert shown["waiters"][0]["id"] == 0
    assert shown["waiters"][-1]["not_shown"] == 1000 - (len(shown["waiters"]) - 1)


def test_what_findings_are_about_stays_and_the_rest_is_said_with_the_way_to_it() -> None:
    def answer() -> list[dict[str, object]]:
        return [{"waiters": [{"id": number, "table": "shop.orders"} for number in range(1000)]}]

    text = trimmed(answer(), 2000, relevant={"977"}, how_to_see="ask from {start}")
    *shown, note = json.loads(text)["waiters"]
    assert len(text) <= 2000
    assert 977 in [row["id"] for row in shown]
    assert [row["id"] for row in shown[:-1]] == list(range(len(shown) - 1))
    assert note == {"not_shown": 1000 - len(shown), "first": len(shown) - 1, "how_to_see": f"ask from {len(shown) - 1}"}
    rest = json.loads(trimmed(answer(), 2000, how_to_see="ask from {start}", start=note["first"]))
    assert rest["waiters"][0]["id"] == note["first"]
    assert rest["waiters"][-1]["how_to_see"] == f"ask from {note['first'] + len(rest['waiters']) - 1}"


def test_a_recorded_answer_can_be_looked_at_again_and_no_other() -> None:
    records = Records([record("get_lock_waits", answers.lock_waits())])
    fence = Fence(ModelView())
    shown = shown_again('{"call": "call_0_get_lock_waits"}', records, fence)
    assert shown.startswith("get_lock_waits SUCCESS\n<DATA ")
    assert "orders_batch" not in shown
    assert shown_again('{"call": "call_9"}', records, fence) == "There is no such call."
    for wrong in ("", "[]", "{}", '{"call": "call_0_get_lock_waits", "start": "x"}'):
        assert shown_again(wrong, records, fence).startswith("Name the call")


def test_an_answer_that_cannot_be_shortened_is_cut_and_says_so() -> None:
    text = trimmed([{"digest_text": "x" * 5000}], limit=1000)
    assert len(text) < 1100
    assert text.endswith("cut here")


@pytest.mark.parametrize(
    "submitted",
    [
        "",
        "[]",
        '{"answer": "x"}',
        '{"root_causes": [7]}',
        '{"root_causes": [{"kind": "lock.gremlins", "name": "regions/a/instances/b"}]}',
        '{"root_causes": [{"kind": "lock.row_blocker"}]}',
        '{"root_causes": [{"kind": "lock.row_blocker", "name": "regions/-/instances/-"}]}',
        '{"root_causes": [{"kind": "lock.row_blocker", "name": "regions/a/instances/b", "entities": {}}]}',
        '{"root_causes": [{"kind": "lock.row_blocker", "name": "regions/a/instances/b", "entities": [{"role": "x"}]}]}',
    ],
)
def test_a_submission_of_the_wrong_shape_is_told_what_is_wrong(submitted: str) -> None:
    with pytest.raises(SubmissionError):
        parse_submission(submitted, ModelView())


def test_tokens_in_a_submission_become_names_again() -> None:
    view = ModelView()
    token = view.show(answers.lock_waits()).holders[0].session.user
    assert token.startswith("prn_")
    entity = {"role": "holder", "type": "user", "value": token}
    cause = {"kind": "lock.row_blocker", "name": NAME, "entities": [entity], "confidence": 7}
    draft = parse_submission(json.dumps({"answer": f"It is {token}.", "root_causes": [cause]}), view)
    assert draft.answer == "It is orders_batch."
    assert draft.causes[0].values("holder", "user") == ("orders_batch",)
    assert draft.causes[0].confidence == 1.0
