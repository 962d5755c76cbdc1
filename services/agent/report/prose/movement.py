"""Which way something is said to have gone, against which way it went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.agent.records import Record
from services.agent.report.prose.known import newest
from storex.history.v1 import history_pb2

_RISES = (
    r"rose|ris(?:es|en|ing)|increas(?:e|es|ed|ing)|gr(?:ew|ows?|own|owing)|climb(?:s|ed|ing)?|jump(?:s|ed|ing)?|"
    r"surg(?:e|es|ed|ing)|spik(?:e|es|ed|ing)|soar(?:s|ed|ing)?|doubl(?:e|es|ed|ing)|tripl(?:es|ed|ing)|"
    r"went up|goes up|going up|shot up|(?:is|was|are|were) up\b|higher than|more than before|worsen(?:s|ed|ing)?"
)
_FALLS = (
    r"fell|fall(?:s|en|ing)(?! behind)|decreas(?:e|es|ed|ing)|dropp(?:ed|ing)|drops|declin(?:es|ed|ing)|"
    r"shr(?:ank|inks|unk)|"
    r"halv(?:es|ed|ing)|went down|goes down|going down|lower than|less than before|sank|plung(?:es|ed)|"
    r"plummet(?:s|ed)|reduc(?:es|ed)|(?:is|was|are|were) down (?:from|by)"
)
_RISE, _FALL = (re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in (_RISES, _FALLS))
_NOT = re.compile(r"\b(?:not|never|no|didn't|hasn't|without)\b", re.IGNORECASE)
_CAMEL = re.compile(r"[A-Z][a-z]+")
_WORD = re.compile(r"[a-z]{3,}")
_SIGNED = ("growth", "lag_growth", "increase_per_second")
_PAIRS = (
    ("symptom_before", "symptom_now"),
    ("old_value", "new_value"),
    ("median", "current"),
    ("earlier_per_second", "per_second"),
    ("earlier_connections", "connections"),
    ("earlier_failed_per_second", "failed_per_second"),
    ("earlier_connects_per_second", "connects_per_second"),
    ("earlier_average_seconds", "average_seconds"),
)
_SPOKEN = ("summary", "reason")
_SAME = {
    "traffic": "statements", "load": "statements", "qps": "statements", "calls": "statements", "queries": "statements",
    "requests": "statements", "latency": "average", "time": "average", "slower": "average", "clients": "connections",
    "sessions": "connections", "undo": "history", "delay": "lag",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """Something recorded that went up or down, and the words that it goes by."""

    rises: bool
    words: frozenset[str]


def movements_in(records: Iterable[Record]) -> list[Movement]:
    """Everything that the newest answers show to have moved."""
    return [found for record in newest(records) if record.message is not None for found in _of(record.message, ())]


def wrong_way(sentence: str, movements: Iterable[Movement]) -> str:
    """Why a sentence that tells of a rise or a fall is not believed; empty where it is, or tells of none."""
    rises, falls = bool(_RISE.search(sentence)), bool(_FALL.search(sentence))
    if rises == falls or _NOT.search(sentence):
        return "it tells of a rise and a fall at once" if rises and falls else ""
    about = _words(sentence)
    fitting = [movement for movement in movements if movement.words & about]
    if any(movement.rises is rises for movement in fitting):
        return ""
    said = "rise" if rises else "fall"
    return f"what was recorded went the other way, and it tells of a {said}" if fitting else f"no {said} was recorded"


def _of(message: Message, path: tuple[str, ...]) -> Iterator[Movement]:
    named = (str(getattr(message, name)) for name in ("metric", "variable") if _is_text(message, name))
    words = (*path, *_CAMEL.findall(message.DESCRIPTOR.name), *named)
    for name in _SIGNED:
        value = getattr(message, name, None)
        if isinstance(value, int | float) and value:
            yield _moved(value > 0, *words, name)
    for before, after in _PAIRS:
        yield from _pair(getattr(message, before, None), getattr(message, after, None), *words, after)
    yield from _more(message, words)
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None or descriptor.message_type.GetOptions().map_entry:
            continue
        for item in value if descriptor.is_repeated else (value,):
            yield from _of(item, (*words, descriptor.name))


def _more(message: Message, words: tuple[str, ...]) -> Iterator[Movement]:
    """Movements that do not stand in two fields of one message."""
    before, after = getattr(message, "before", None), getattr(message, "after", None)
    if isinstance(before, Message) and isinstance(after, Message):
        for descriptor in before.DESCRIPTOR.fields:
            pair = getattr(before, descriptor.name), getattr(after, descriptor.name, None)
            yield from _pair(*pair, *words, descriptor.name)
    if isinstance(message, history_pb2.GetMetricHistoryResponse) and len(message.points) > 1:
        means = [point.mean for point in message.points]
        yield from _pair(means[0], means[-1], message.metric.metric)
        yield from _pair(sum(means) / len(means), max(point.high for point in message.points), message.metric.metric)
    for name in _SPOKEN:
        said = str(getattr(message, name)) if _is_text(message, name) else ""
        for rises, pattern in ((True, _RISE), (False, _FALL)):
            if pattern.search(said) and not _NOT.search(said):
                yield Movement(rises, _words(said))


def _pair(before: Any, after: Any, *words: str) -> Iterator[Movement]:
    try:
        first, second = float(before), float(after)
    except (TypeError, ValueError):
        return
    if first != second:
        yield _moved(second > first, *words)


def _moved(rises: bool, *words: str) -> Movement:
    return Movement(rises, _words(" ".join(words)))


def _words(text: str) -> frozenset[str]:
    found = {word.rstrip("s") for word in _WORD.findall(text.lower().replace("_", " "))}
    return frozenset({_SAME.get(word, _SAME.get(f"{word}s", word)).rstrip("s") for word in found} | found) - _EMPTY


def _is_text(message: Message, name: str) -> bool:
    return isinstance(getattr(message, name, None), str) and bool(getattr(message, name))


_EMPTY = frozenset(
    re.findall(
        r"\w+",
        "the and for from with per second seconds that this was were has have had its into than before after value now "
        "new old current change work increase rose ris wa ha it thi group get response",
    )
)
