"""What a long conversation is cut down to: facts with the ids of the calls that showed them, never a model's summary.

The recorded answers themselves stay where they are, so that a claim about one is checked as before, and `show_more`
shows it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from libs.llm import Message
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, Turn
from services.agent.loop.summary import summarise
from services.agent.reasoners.model.fencing import MORE
from storex.agent.v1 import report_pb2

MAX_CONVERSATION = 60_000
"""Characters of a conversation beyond which its oldest answers are put in a line each; about 15,000 tokens."""
WHOLE_TURNS = 2
"""Earlier questions whose answers are shown as they were given; of older ones only the verified facts."""
_KEPT_ANSWERS = 2
"""Newest answers of tools that are never shortened."""
_MAX_TURNS = 12
_MAX_FACTS = 12


def earlier_turns(turns: Sequence[Turn], view: ModelView) -> list[Message]:
    """The session so far: the oldest questions as facts, the newest with their answers."""
    reported = [turn for turn in turns if turn.report is not None]
    old, whole = reported[:-WHOLE_TURNS], reported[-WHOLE_TURNS:]
    messages = []
    if old:
        lines = [_facts(turn, view) for turn in old[-_MAX_TURNS:]]
        messages.append(Message("user", "Earlier in this session, as verified then:\n" + "\n".join(lines)))
        messages.append(Message("assistant", "I know."))
    for turn in whole:
        if turn.report is not None:
            messages.append(Message("user", view.show_text(turn.question)))
            shown = view.show(turn.report)
            messages.append(Message("assistant", shown.answer or "I reported what I found."))
    return messages


def compacted(messages: Sequence[Message], outcomes: dict[str, CallOutcome], view: ModelView) -> list[Message]:
    """The conversation within MAX_CONVERSATION: the oldest answers of tools become a line each.

    `outcomes` are the calls by the model's own id of them.
    """
    size = sum(len(message.text) for message in messages)
    answers = [place for place, message in enumerate(messages) if message.role == "tool"]
    shortened = list(messages)
    for place in answers[:-_KEPT_ANSWERS]:
        if size <= MAX_CONVERSATION:
            break
        message = messages[place]
        outcome = outcomes.get(message.call_id)
        if outcome is None or not outcome.records:
            continue
        line = _line(outcome, view)
        if len(line) < len(message.text):
            shortened[place] = replace(message, text=line)
            size += len(line) - len(message.text)
    return shortened


def _line(outcome: CallOutcome, view: ModelView) -> str:
    shown = [_shown(record.name, outcome, view) for record in outcome.records[:1]]
    return f"{outcome.request.tool}: {''.join(shown)} (shortened; {MORE} with call {outcome.call_id} shows it again)"


def _shown(name: str, outcome: CallOutcome, view: ModelView) -> str:
    records = [
        replace(record, message=view.show(record.message)) if record.message is not None else record
        for record in outcome.records
    ]
    return f"{name}: {summarise(records)}"


def _facts(turn: Turn, view: ModelView) -> str:
    report = view.show(turn.report or report_pb2.Report())
    verdict = report_pb2.Verdict.Name(report.verdict).removeprefix("VERDICT_").lower()
    facts = [f"{cause.kind} on {cause.name} {_entities(cause)}" for cause in report.root_causes]
    evidence = sorted({f"{item.call_id} {item.tool} {item.path}={item.value}" for item in report.evidence})[:_MAX_FACTS]
    return f"- asked {view.show_text(turn.question)[:200]!r}: {verdict}. {'; '.join([*facts, *evidence])}"


def _entities(cause: report_pb2.RootCause) -> str:
    return "(" + ", ".join(f"{entity.role} {entity.type} {entity.value}" for entity in cause.entities) + ")"
