"""Words that were typed in a hurry, as they were meant: two letters in the wrong order, one missing or one too many."""

from __future__ import annotations

import re

_VOCABULARY = frozenset(
    re.findall(
        r"\w+",
        "slow slower broken blocked blocking locks locked deadlock deadlocks waiting stuck hanging replica replicas "
        "replication lagging behind connection connections database databases latency timeout timeouts query queries "
        "index indexes statement statements problem problems error errors healthy kill killed change changed changes "
        "deploy deployed release restart which client table traffic spike owner owns last night yesterday still worse "
        "happening happened wrong login logins password space memory transaction transactions server servers",
    )
)
_SHORTEST_SWAP, _SHORTEST_OTHER = 4, 6
"""Letters that a word must have: short words are one letter away from too many others."""


def corrected(text: str) -> str:
    """The text with words that are one slip away from a word that questions are made of."""
    return re.sub(r"[A-Za-z]+", lambda match: _meant(match.group()), text)


def _meant(word: str) -> str:
    lowered = word.lower()
    if lowered in _VOCABULARY or len(word) < _SHORTEST_SWAP:
        return word
    near = [known for known in _VOCABULARY if abs(len(known) - len(word)) <= 1 and _one_slip(lowered, known)]
    return near[0] if len(near) == 1 else word


def _one_slip(typed: str, known: str) -> bool:
    if len(typed) == len(known):
        places = [place for place, pair in enumerate(zip(typed, known, strict=True)) if pair[0] != pair[1]]
        swapped = len(places) == 2 and places[1] == places[0] + 1
        return swapped and typed[places[0]] == known[places[1]] and typed[places[1]] == known[places[0]]
    shorter, longer = sorted((typed, known), key=len)
    if len(longer) < _SHORTEST_OTHER or known.rstrip("s") == typed.rstrip("s"):
        return False
    return any(longer[:place] + longer[place + 1 :] == shorter for place in range(1, len(longer)))
