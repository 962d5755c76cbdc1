"""Figures in a sentence, with what they measure: `300 ms`, `1.2M rows`, `93 %`, `three sessions`, `12 calls/s`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum


class Dimension(Enum):
    """What a figure measures; its base unit is seconds, bytes, a share of one, or one a second."""

    TIME = "time"
    BYTES = "bytes"
    SHARE = "share"
    RATE = "rate"
    FACTOR = "factor"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Figure:
    """What a sentence says: any value from `low` to `high`, in the base unit; `noun` is what is counted."""

    text: str
    low: float
    high: float
    dimension: Dimension
    noun: str = ""
    end: int = 0


_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "bn": 1e9, "billion": 1e9}
_TIMES = {
    1e-6: "us µs μs microsecond microseconds",
    1e-3: "ms msec msecs millisecond milliseconds",
    1.0: "s sec secs second seconds",
    60.0: "min mins minute minutes",
    3600.0: "h hr hrs hour hours",
    86400.0: "d day days",
    604800.0: "week weeks",
}
_SIZES = {
    1.0: "b byte bytes",
    1e3: "kb kilobyte kilobytes",
    1024.0: "kib",
    1e6: "mb megabyte megabytes",
    1024.0**2: "mib",
    1e9: "gb gigabyte gigabytes",
    1024.0**3: "gib",
    1e12: "tb terabyte terabytes",
}
_UNITS: dict[str, tuple[Dimension, float]] = {
    **{word: (Dimension.TIME, scale) for scale, words in _TIMES.items() for word in words.split()},
    **{word: (Dimension.BYTES, scale) for scale, words in _SIZES.items() for word in words.split()},
    **dict.fromkeys(("%", "percent", "pct"), (Dimension.SHARE, 0.01)),
    **dict.fromkeys(("x", "\u00d7", "fold"), (Dimension.FACTOR, 1.0)),
    **dict.fromkeys(("qps", "tps", "/s", "hz"), (Dimension.RATE, 1.0)),
}
_BINARY = 1.1
"""A megabyte may have been meant as 1000² or as 1024² bytes."""
_LOOSE = 0.1
"""How far a figure may be off that is said to be about so much."""

_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d+(?:,\d{3})*(?:\.\d+)?", re.ASCII)
_NEXT_WORD = re.compile(r"[ -]?(/s\b|%|\u00d7|[^\W\d_]+)")
_A_SECOND = re.compile(
    r"^(?:[ -]?\w+(?:-\w+){0,3}(?: \w+(?:-\w+){0,3}){0,2}?)??\s?"
    r"(?:(?:per|a|an|each|every)\s|/ ?)(second|sec|s|minute|min|hour|h)\b",
    re.IGNORECASE,
)
"""Words apart by one space, so that there is one way alone to read a long one: a model's text may be anything."""
_AS_MANY = re.compile(r"^ (?:as|more|higher|longer|the|slower|larger|bigger)\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"(?:about|around|roughly|approximately|approx\.?|some|nearly|almost|over|under|more than|less than|at least|"
    r"at most|up to|~|≈|>|<|>=|<=)\s?$",
    re.IGNORECASE,
)
_SPACED = re.compile(r"(?<=\d)[\u00a0\u2009\u202f'\u2019 ](?=\d{3}(?!\d))")
_VAGUE = re.compile(r"\b(dozens|hundreds|thousands|millions|billions)\b(?: of (\w+))?", re.IGNORECASE)
_VAGUE_FROM = {"dozens": 24, "hundreds": 200, "thousands": 2000, "millions": 2e6, "billions": 2e9}
_ONES = re.findall(
    r"\w+",
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
)
_TENS = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
_WORDS = {word: float(place) for place, word in enumerate(_ONES)} | {
    word: 20.0 + 10 * place for place, word in enumerate(_TENS)
}
_GREAT = {"dozen": 12.0, "hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_SPELLED = re.compile(
    rf"(?<!\d)(?<!\d[ -])\b(?:{'|'.join((*_WORDS, *_GREAT))})(?:(?:[ -]|,? and )(?:{'|'.join((*_WORDS, *_GREAT))}))*\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The text with one spelling of digits: full-width ones, spaced thousands and number words become plain figures."""
    text = _SPACED.sub("", unicodedata.normalize("NFKC", text))
    return _SPELLED.sub(lambda match: _spelled(match.group()), text)


def figures(text: str) -> Iterator[Figure]:
    """The figures of a plain text from left to right; spans such as `3 min 20 s` are one."""
    held: Figure | None = None
    for match in _NUMBER.finditer(text):
        figure = _figure(text, match)
        if held is not None and _goes_on(held, figure, text[held.end : match.start()]):
            whole = (held.low + held.high) / 2
            text_of_both = f"{held.text} {figure.text}"
            held = replace(figure, low=whole + figure.low, high=whole + figure.high, text=text_of_both)
            continue
        if held is not None:
            yield held
        held = figure
    if held is not None:
        yield held
    for vague in _VAGUE.finditer(text):
        least = _VAGUE_FROM[vague.group(1).lower()]
        yield Figure(vague.group(), least, 1000 * least, Dimension.COUNT, (vague.group(2) or "").lower(), vague.end())


def _figure(text: str, match: re.Match[str]) -> Figure:
    digits = match.group().replace(",", "").lstrip("+")
    value, places = float(digits), len(digits.partition(".")[2])
    half, end = 0.5 * 10.0**-places, match.end()
    word, after = _word(text, end)
    if word in _SCALES and not (word == "m" and after[1:2].isalpha() and text[end : end + 1] == " "):
        value, half, end = value * _SCALES[word], half * _SCALES[word], end + len(text[end:]) - len(after)
        word, after = _word(text, end)
    dimension, scale = _UNITS.get(word, (Dimension.COUNT, 1.0))
    if dimension is not Dimension.COUNT:
        end = len(text) - len(after)
    if word == "times" and _AS_MANY.match(after):
        dimension = Dimension.FACTOR
    period = _A_SECOND.match(text[end:]) if dimension is Dimension.COUNT else None
    if period is not None:
        dimension, scale = Dimension.RATE, 1.0 / _UNITS[period.group(1).lower()][1]
    low, high = (value - half) * scale, (value + half) * scale
    if _ABOUT.search(text[: match.start()]):
        low, high = low - abs(low) * _LOOSE, high + abs(high) * _LOOSE
    if dimension is Dimension.BYTES and scale > 1:
        low, high = low / _BINARY, high * _BINARY
    noun = word if dimension in (Dimension.COUNT, Dimension.RATE) else ""
    return Figure(text[match.start() : end].strip(), low, high, dimension, noun, end)


def _word(text: str, start: int) -> tuple[str, str]:
    """The word right after a place, in lower case, and the text after it."""
    match = _NEXT_WORD.match(text, start)
    return (match.group(1).lower(), text[match.end() :]) if match is not None else ("", text[start:])


def _goes_on(held: Figure, figure: Figure, between: str) -> bool:
    both_times = held.dimension is figure.dimension is Dimension.TIME
    return both_times and between.strip(" ,") in ("", "and") and figure.high < held.high


def _spelled(words: str) -> str:
    """A number in words as a figure; `one` alone stays, for it is seldom meant as a count."""
    if words.lower() == "one":
        return words
    whole, group = 0.0, 0.0
    for word in re.split(r"[^a-z]+", words.lower()):
        if word in _WORDS:
            group += _WORDS[word]
        elif word in _GREAT and _GREAT[word] >= 1000:
            whole, group = whole + max(group, 1.0) * _GREAT[word], 0.0
        elif word in _GREAT:
            group = max(group, 1.0) * _GREAT[word]
    return f"{whole + group:.0f}"
