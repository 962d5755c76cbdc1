"""Rubrics: versioned files of yes/no questions, as `NAME@VERSION`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from libs.core.errors import Reason, StorexError
from storex.agent.v1.report_pb2 import VERDICT_HEALTHY, Report
from storex.judge.v1.scenario_pb2 import Truth

RUBRICS = Path(__file__).parents[1] / "rubrics"
"""Where the rubrics are."""
DIMENSIONS = ("accuracy", "helpfulness")
_REFERENCE = re.compile(r"(?P<name>[a-z][a-z_]*)(?:@(?P<version>[1-9][0-9]{0,3}))?", re.ASCII)

KNOWN: Mapping[str, Callable[[Report], bool]] = {
    "names_a_cause": lambda report: bool(report.root_causes),
    "says_healthy": lambda report: report.verdict == VERDICT_HEALTHY,
}
"""What code can answer by itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `good` is the answer that speaks for a report; `known` names what code can tell, for a check."""

    id: str
    text: str
    dimension: str = ""
    good: bool = True
    with_cause: bool = False
    known: str = ""

    def right(self, report: Report) -> bool | None:
        """What the answer to a check must be; None for a real question."""
        return KNOWN[self.known](report) if self.known else None


@dataclass(frozen=True, slots=True)
class Rubric:
    """A version of a rubric; `text_hash` is of the whole file."""

    reference: str
    instructions: str
    questions: tuple[Question, ...]
    text_hash: str

    def asked_of(self, truth: Truth) -> list[Question]:
        """The questions about a report on a world of which this is true, checks among them."""
        return [question for question in self.questions if truth.root_causes or not question.with_cause]


def load_rubric(reference: str, folder: Path = RUBRICS) -> Rubric:
    """The rubric `name@version`, or the newest one of that name. Raises StorexError REQUEST_INVALID."""
    match = _REFERENCE.fullmatch(reference)
    found = versions_of(match["name"], folder) if match else []
    version = int(match["version"]) if match and match["version"] else max(found, default=0)
    if match is None or version not in found:
        known = ", ".join(
            f"{path.name}@{number}" for path in _names(folder) for number in versions_of(path.name, folder)
        )
        raise StorexError(Reason.REQUEST_INVALID, field="rubric", problem=f"there is none of that name; known: {known}")
    text = (folder / match["name"] / f"{version}.yaml").read_text(encoding="utf-8")
    return rubric_of(f"{match['name']}@{version}", text)


def versions_of(name: str, folder: Path = RUBRICS) -> list[int]:
    """The versions that there are of a rubric."""
    return sorted(int(path.stem) for path in (folder / name).glob("*.yaml") if path.stem.isdecimal())


def rubric_of(reference: str, text: str) -> Rubric:
    """A rubric as it stands in a file. Raises ValueError for a file that is none."""
    content = yaml.safe_load(text)
    checks = [_question(entry) for entry in _list(content, "checks")]
    questions = [_question(entry) for entry in _list(content, "questions")]
    ids = [question.id for question in (*checks, *questions)]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{reference}: two questions have one id")
    if any(question.known not in KNOWN for question in checks) or any(question.known for question in questions):
        raise ValueError(f"{reference}: a check, and only a check, says what is known: {', '.join(KNOWN)}")
    if {question.dimension for question in questions} != set(DIMENSIONS):
        raise ValueError(f"{reference}: there must be questions of {' and '.join(DIMENSIONS)}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Rubric(reference, str(content["instructions"]).strip(), (*checks, *questions), digest)


def _names(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _list(content: object, key: str) -> Sequence[Mapping[str, Any]]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ValueError(f"a rubric has a list of {key}")
    return found


def _question(entry: Mapping[str, Any]) -> Question:
    unknown = set(entry) - set(Question.__dataclass_fields__)
    if unknown or not isinstance(entry.get("id"), str) or not isinstance(entry.get("text"), str):
        raise ValueError(f"a question has an id and a text; unknown here: {', '.join(sorted(unknown)) or 'nothing'}")
    return Question(**entry)
