"""Whether a text says only what recorded answers show; the first sentence that says more condemns all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from libs.core.catalogue import CATALOGUE
from services.agent.explained import explained_by
from services.agent.records import Record, Records
from services.agent.report.prose.figures import Dimension, figures, plain
from services.agent.report.prose.known import Known, connection_lists, known_from
from services.agent.report.prose.movement import Movement, movements_in, wrong_way
from services.agent.report.prose.names import NAMED, ORDINARY, QUOTED, identifiers, same_moment
from services.agent.report.prose.parts import Parts, parts_in, swapped
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n+\s*")
_TOKEN = re.compile(r"prn_\w*")
_ADDRESS = re.compile(r"\w+://|www\.", re.IGNORECASE)
_COMMAND = re.compile(
    r"\b(drop|truncate|delete\s+from|update\s+\S+\s+set|insert\s+into|alter|grant|revoke|shutdown|reset|purge|"
    r"set\s+(global|session|persist)|kill|create|rename|load\s+data|flush|systemctl|mysqladmin|sudo|rm\s+-|"
    r"(?:terminate|end|stop|disconnect|abort)\s+(?:the\s+)?(?:connection|session|thread|server|replica\w*|database))\b",
    re.IGNORECASE,
)
_ADVICE = re.compile(
    r"^\W*(?:please |just |simply |then |now |first,? )?(?:restart|reboot|stop|terminate|disconnect|promote|fail ?over|"
    r"disable|enable|increase|raise|lower|add|remove|run|execute|set|roll ?back|restore)\b|"
    r"\b(?:you|we|they) (?:should|must|can|could|need to|have to)\b|\b(?:recommend|consider|suggest|advise)\w*\b",
    re.IGNORECASE,
)
_WELL = re.compile(
    r"\b(?:healthy|nothing (?:is |seems |looks )?wrong|all (?:is )?(?:well|good|fine|ok|clear)|"
    r"no (?:problems?|issues?|findings?|trouble|faults?)|everything (?:is |looks |works )?\w+)\b",
    re.IGNORECASE,
)
_SURE = re.compile(
    r"\b(?:confirmed|certain(?:ly)?|definite(?:ly)?|proven|undoubtedly|without (?:a )?doubt)\b", re.IGNORECASE
)
_KIND = re.compile("|".join(re.escape(kind) for kind in sorted(CATALOGUE, key=len, reverse=True)))
_DENIES = re.compile(
    r"\b(?:no|not|never|neither|nor|ruled out|rather than|isn't|clear|excluded|without)\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"[,;:]\s|\b(?:and|but|so)\b", re.IGNORECASE)
"""What is denied before one of these is denied of something else."""
_CLOCK = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?Z?(?: UTC)?|"
    r"(?<![\d:])\d{1,2}:\d\d(?::\d\d)?(?: ?(?:UTC|[ap]m))?"
)
_SMALL = 10
"""Bare numbers below this, of nothing in particular, are too common to mean a value."""
_COUNTED = re.compile(r"^(?:row|session|connection|call|quer|statement|thread|client|waiter|lock|transaction|time)")
_PLACE = re.compile(r"regions/[a-z0-9-]+/instances/[a-z0-9-]+|\b[a-z][a-z0-9]*(?:-[a-z0-9]+)+\b")


@dataclass(slots=True)
class Ground:
    """What a text of a report may rest on: recorded answers, and what of the report has been verified.

    `about` are the instances that it is about where it names none.
    """

    records: Records
    about: tuple[str, ...]
    verdict: report_pb2.Verdict.ValueType = report_pb2.VERDICT_UNSPECIFIED
    causes: Sequence[report_pb2.RootCause] = ()
    _by_name: dict[tuple[str, ...], tuple[Known, Parts, list[Movement]]] = field(default_factory=dict)

    def problem(self, text: str) -> str:
        """Why a text is not believed, in a clause without anything that it says; empty where it is."""
        for sentence in _SENTENCE.split(plain(text)):
            found = next(self._problems(sentence), "")
            if found:
                return found
        return ""

    def _problems(self, sentence: str) -> Iterator[str]:
        known, parts, movements = self._of(self._places(sentence))
        if _COMMAND.search(sentence) or _ADVICE.search(sentence):
            yield "commands and advice are written by code"
        if _ADDRESS.search(sentence) or _TOKEN.search(sentence):
            yield "it names an address or a token that was not recorded"
        yield from self._verdicts(sentence)
        yield from self._kinds(sentence)
        bare = _KIND.sub(" ", sentence)
        yield from _names(bare, known)
        yield from _figures(bare, known, {part.value for cause in self.causes for part in cause.entities})
        if any(True for _ in swapped(bare, parts)):
            yield "it gives somebody a part that they do not play"
        if wrong := wrong_way(bare, movements):
            yield wrong

    def _verdicts(self, sentence: str) -> Iterator[str]:
        if self.verdict == report_pb2.VERDICT_UNSPECIFIED:
            return
        if self.verdict != report_pb2.VERDICT_HEALTHY and any(
            not _DENIES.search(_CLAUSE.split(sentence[: said.start()])[-1]) for said in _WELL.finditer(sentence)
        ):
            yield "it calls healthy what was not found so"
        if _SURE.search(sentence) and self.verdict != report_pb2.VERDICT_CONFIRMED:
            yield "it is surer than what was recorded"

    def _kinds(self, sentence: str) -> Iterator[str]:
        """Kinds that are neither a cause of the report, nor said to be none after a check that says so."""
        verified = {cause.kind for cause in self.causes}
        for kind in _KIND.findall(sentence):
            if kind in verified:
                continue
            if not _DENIES.search(sentence) and not self._is_consequence(kind):
                yield "it names a cause that was not verified"
            if _DENIES.search(sentence) and not self._is_clear(kind):
                yield "it rules out what no reading rules out"

    def _is_clear(self, kind: str) -> bool:
        checks = [check for health in self._health() for check in health.checks if check.kind == kind]
        return bool(checks) and all(check.result == finding_pb2.CHECK_RESULT_CLEAR for check in checks)

    def _is_consequence(self, kind: str) -> bool:
        for health in self._health():
            explained = explained_by(health.findings)
            if any(finding.kind == kind and finding.id in explained for finding in health.findings):
                return True
        return False

    def _health(self) -> Iterator[diagnostics_pb2.InstanceHealth]:
        yield from (record.health for record in self.records.health().values() if record.health is not None)

    def _places(self, sentence: str) -> tuple[str, ...]:
        """The instances that a sentence names, else those that it is about."""
        recorded = {record.name for record in self.records}
        named = [
            name
            for place in _PLACE.findall(sentence)
            for name in recorded
            if name == place or name.rpartition("/")[2] == place
        ]
        return tuple(dict.fromkeys(named)) or self.about

    def _of(self, names: tuple[str, ...]) -> tuple[Known, Parts, list[Movement]]:
        if names not in self._by_name:
            chosen: Iterable[Record] = [record for record in self.records if record.name in names]
            chosen = list(chosen) or list(self.records)
            self._by_name[names] = known_from(chosen), parts_in(chosen), movements_in(chosen)
        return self._by_name[names]


def _names(sentence: str, known: Known) -> Iterator[str]:
    quoted = [first or second for first, second in QUOTED.findall(sentence)]
    typed = [
        match.group(2)
        for match in NAMED.finditer(sentence)
        if match.group(2).lower() not in ORDINARY and not match.group(2)[:1].isdigit()
    ]
    if any(not known.knows(name) for name in (*quoted, *typed, *identifiers(QUOTED.sub(" ", sentence)))):
        yield "it names something that was not recorded"
    if any(number not in known.connections for number in connection_lists(sentence)):
        yield "it names a connection that was not recorded"


def _figures(sentence: str, known: Known, entities: set[str]) -> Iterator[str]:
    if any(not _is_moment(match.group(), known) for match in _CLOCK.finditer(sentence)):
        yield "it names a time that was not recorded"
    rest = _CLOCK.sub(" ", QUOTED.sub(" ", sentence))
    for name in identifiers(rest):
        rest = rest.replace(name, " ")
    called = set(connection_lists(rest))
    for figure in figures(rest):
        number = figure.text.split(" ")[0]
        if number in called or known.shows(figure, sentence):
            continue
        counted = bool(_COUNTED.match(figure.noun))
        if figure.dimension is Dimension.COUNT and not counted:
            if abs(figure.high) < _SMALL + 1 and not figure.noun.startswith("k"):
                continue
            if number in known.connections or number in entities:
                continue
        yield "it gives a figure that was not recorded, or not in that unit"


def _is_moment(text: str, known: Known) -> bool:
    """Whether a time of day or a date is a recorded one, to the place that it shows."""
    return any(same_moment(text, moment) for moment in known.moments)
