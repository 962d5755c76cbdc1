"""Answers cut to size: what findings are about stays, and the rest is said to be missing, with the way to it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

_SHORTEST_LIST = 3


def trimmed(
    answers: list[dict[str, Any]], limit: int, *, relevant: Collection[str] = (), how_to_see: str = "", start: int = 0
) -> str:
    """The answers as JSON within `limit` characters.

    The longest lists are cut: entries that hold a `relevant` value stay first, then those that come first. Each cut
    list ends in a note of how many are not shown and, by `how_to_see` with a `{start}`, how to see them. `start` leaves
    out so many entries of the longest list, to show what an earlier view has cut.
    """
    if not answers:
        return ""
    whole: Any = answers if len(answers) > 1 else answers[0]
    if start:
        _leave_out(whole, start)
    text = _json(whole)
    while len(text) > limit:
        longest = _longest(whole)
        if longest is None or len(longest) <= _SHORTEST_LIST:
            return text[:limit] + " ... cut here"
        _halve(longest, frozenset(relevant), how_to_see, start)
        text = _json(whole)
    return text


def _leave_out(whole: Any, start: int) -> None:
    longest = _longest(whole)
    if longest is not None:
        del longest[:start]


def _halve(entries: list[Any], relevant: frozenset[str], how_to_see: str, start: int) -> None:
    note = entries.pop() if _is_note(entries[-1]) else {"not_shown": 0, "first": len(entries)}
    kept = max(_SHORTEST_LIST - 1, len(entries) // 2)
    wanted = sorted(range(len(entries)), key=lambda place: (-_hits(entries[place], relevant), place))[:kept]
    first = min(note["first"], min(set(range(len(entries))) - set(wanted)))
    cut = len(entries) - kept
    entries[:] = [entries[place] for place in sorted(wanted)]
    entries.append({"not_shown": note["not_shown"] + cut, "first": first})
    if how_to_see:
        entries[-1]["how_to_see"] = how_to_see.format(start=start + first)


def _hits(entry: Any, relevant: frozenset[str]) -> int:
    if isinstance(entry, dict):
        return sum(_hits(value, relevant) for value in entry.values())
    if isinstance(entry, list):
        return sum(_hits(value, relevant) for value in entry)
    return str(entry) in relevant


def _is_note(entry: Any) -> bool:
    return isinstance(entry, dict) and {"not_shown", "first"} <= set(entry) <= {"not_shown", "first", "how_to_see"}


def _longest(value: Any) -> list[Any] | None:
    return max(_lists(value), key=lambda entries: len(_json(entries)), default=None)


def _lists(value: Any) -> list[list[Any]]:
    if isinstance(value, dict):
        return [found for member in value.values() for found in _lists(member)]
    if isinstance(value, list):
        return [value, *(found for member in value for found in _lists(member))]
    return []


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
