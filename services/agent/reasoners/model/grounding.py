"""Whether what a model wrote in prose says only what was recorded. Where it does not, code writes the text instead."""

from __future__ import annotations

import re
from dataclasses import replace

from services.agent.records import Records
from services.agent.report.draft import Draft
from services.agent.report.leaves import leaf_values

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*")
_QUOTED = re.compile(r"[`\"]([^`\"\n]{1,200})[`\"]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
_TOKEN = re.compile(r"prn_\w*")
_ADDRESS = re.compile(r"\w+://|www\.", re.IGNORECASE)
_COMMAND = re.compile(
    r"\b(drop|truncate|delete\s+from|update\s+\S+\s+set|insert\s+into|alter|grant|revoke|shutdown|reset|purge|"
    r"set\s+(global|session|persist)|kill|create|rename|load\s+data|flush)\b",
    re.IGNORECASE,
)
_SMALL = 10
"""Numbers below this are too common in prose to mean a recorded value."""


def grounded(draft: Draft, records: Records) -> Draft:
    """The draft without those of its texts that name a figure, an id or a name that no recorded answer holds."""
    values = [value for record in records for value in leaf_values(record.message).values()]
    known = frozenset(values)
    numbers = [number for number in map(_as_number, values) if number is not None]

    def keep(text: str) -> str:
        return text if text and _is_grounded(text, known, numbers) else ""

    causes = tuple(replace(cause, summary=keep(cause.summary)) for cause in draft.causes)
    return replace(draft, causes=causes, answer=keep(draft.answer))


def _is_grounded(text: str, known: frozenset[str], numbers: list[float]) -> bool:
    if _COMMAND.search(text) or _ADDRESS.search(text) or _TOKEN.search(text):
        return False
    quoted = [first or second for first, second in _QUOTED.findall(text)]
    if any(not any(name in value for value in known) for name in quoted):
        return False
    return all(_is_recorded(match.group(), known, numbers) for match in _NUMBER.finditer(text))


def _is_recorded(figure: str, known: frozenset[str], numbers: list[float]) -> bool:
    """Whether a figure is a recorded value, as it stands or rounded to the places that it shows."""
    if figure in known:
        return True
    value = _as_number(figure.replace(",", ""))
    if value is None:
        return False
    places = len(figure.partition(".")[2])
    return abs(value) < _SMALL or any(
        abs(recorded * scale - value) <= 0.5 * 10**-places for recorded in numbers for scale in (1, 100)
    )


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
