"""What a judging model is shown: the question, the reference and the report, without a word of who wrote it.

Users, hosts and programs are tokens, what looks like a literal is left out, and lengths are bounded. The report stands
between marks that nobody who writes into a database can know beforehand.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from libs.core.catalogue import CATALOGUE
from libs.sensitivity.model_view import ModelView
from storex.agent.v1.report_pb2 import Report, Risk, RootCause, Verdict
from storex.common.v1.entity_pb2 import Entity
from storex.judge.v1.scenario_pb2 import Scenario, Truth

T = TypeVar("T")

MOST_ITEMS = 20
"""Of each part of a report."""
MOST_CHARACTERS = 1200
"""Of one sentence or list."""
_OF_NO_INSTANCE = ("MODEL_", "SNAPSHOT")
"""What the codes of limits begin with that say nothing about the instance, and may say who wrote the report."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The text of a report as a judging model sees it, and the whole message with the reference around it."""

    report: str
    message: str


def shown(scenario: Scenario, report: Report, view: ModelView) -> Shown:
    """A report as the endpoint may see it; `view` remembers what its tokens stand for."""
    view.hide(report.principals)
    reference = [_line(line) for line in _reference(scenario.truth, view)]
    causes = [_cause(cause, view) for cause in _first(report.root_causes)]  # before any sentence, which may name them
    text = "\n".join(_report(report, causes, view))
    mark = secrets.token_hex(8)
    questions = [view.show_text(question) for question in scenario.questions]
    message = "\n".join(
        (
            "The question that was asked:",
            *(f"  {_line(question)}" for question in questions),
            "",
            "The reference:",
            *(f"  {line}" for line in reference),
            "",
            "The report:",
            f"<DATA {mark}>",
            text,
            f"</DATA {mark}>",
        )
    )
    return Shown(text, message)


def _reference(truth: Truth, view: ModelView) -> Iterator[str]:
    if not truth.root_causes:
        yield "Nothing was wrong."
    for cause in truth.root_causes:
        parts = _parts(cause.entities, view)
        yield f"{cause.kind}: {CATALOGUE[cause.kind].title}{f' ({parts})' if parts else ''}"
    for edge in truth.causal_edges:
        yield f"{edge.cause} brings about {edge.effect}"
    for kind in truth.traps:
        yield f"Not a cause, though it may look like one: {kind}"


def _report(report: Report, causes: Sequence[str], view: ModelView) -> Iterator[str]:
    """Line by line, of fields that are PUBLIC, of entities as the endpoint may see them, and of cleaned sentences."""
    yield f"verdict: {Verdict.Name(report.verdict).removeprefix('VERDICT_')}"
    yield f"answer: {_line(view.show_text(report.answer))}"
    for shown_as, cause in zip(causes, report.root_causes, strict=False):
        yield f"root cause {shown_as}: {_line(view.show_text(cause.summary))}"
    sentences = {
        "how it unfolds": (link.text for link in report.causal_chain),
        "seen": (fact.text for fact in report.facts),
        "ruled out": (f"{item.kind}: {item.reason}" for item in report.ruled_out),
    }
    for title, texts in sentences.items():
        yield from (f"{title}: {_line(view.show_text(text))}" for text in _first(texts))
    for number, step in enumerate(_first(report.next_steps), start=1):
        risk = Risk.Name(step.risk).removeprefix("RISK_").lower()
        command = f" | {step.command}" if step.command else ""
        yield f"next step {number} (risk {risk}): {_line(view.show_text(step.text + command))}"
    limits = (limit for limit in report.limits if not limit.code.startswith(_OF_NO_INSTANCE))
    yield from (f"could not be read: {_line(limit.message)}" for limit in _first(limits))


def _cause(cause: RootCause, view: ModelView) -> str:
    parts = _parts(cause.entities, view)
    return _line(f"{cause.kind} {cause.confidence:.0%}{f' ({parts})' if parts else ''}")


def _parts(entities: Iterable[Entity], view: ModelView) -> str:
    seen = [view.show(entity) for entity in entities]
    return ", ".join(f"{entity.role} {entity.type} {entity.value}" for entity in _first(seen))


def _first(items: Iterable[T]) -> Iterator[T]:
    return (item for _, item in zip(range(MOST_ITEMS), items, strict=False))


def _line(text: str) -> str:
    """One line of what can be seen: a name with a line end in it must not look like a line of the report."""
    visible = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(visible.split())[:MOST_CHARACTERS]
