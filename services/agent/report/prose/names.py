"""Names in a sentence: what is quoted, what is called a user or a table, and what looks like no ordinary word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

QUOTED = re.compile(r"[`\"]([^`\"\n]{1,200})[`\"]|(?<!\w)'([^'\n]{1,200})'(?!\w)")
NAMED = re.compile(
    r"\b(user|account|program|host|table|index|schema|database|variable|digest|channel|client) "
    r"[`'\"]?([\w$][\w$.@/-]*\w|\w)",
    re.IGNORECASE,
)
"""A word right after one that says what it names."""
_WORD = re.compile(r"[\w$][\w$.@-]*[\w$]|[\w$]", re.ASCII)
_UNIT_TAIL = re.compile(
    r"[-+]?\d+(?:\.\d+)?(?:ms|us|s|m|h|d|k|x|b|kb|mb|gb|tb|kib|mib|gib|sec|min|fold)?", re.IGNORECASE
)
_ABBREVIATIONS = frozenset(("e.g", "i.e", "etc.", "vs."))
_SPOKEN = frozenset(("n+1", "24/7", "i/o", "p50", "p95", "p99", "utf8", "utf8mb4"))
ORDINARY = frozenset(
    re.findall(
        r"\S+",
        """a an and are as at be been but by can cannot could did does doing down each for from get gets had has have
    having held holding holds id ids if in is it its keep keeps left lock locked locks lost may might more name named
    names never no not now of off on once one only open opened opens or other out over own owns per process processes
    read reads remains run running runs scan scans scanned seems sends sent session sessions shows since so space still
    stays stop stops takes than that the their them then there these they this those through to too under until up use
    used uses using via wait waiting waits was were what when where which while who whose will with without would
    writes yet you accounts application applications app apps behind blocks blocked blocking called change changed
    changes code connection connections connects count data default design does engine file files full grew grows
    growing hits instance instances is's itself level limit limits load lookup lookups machine machines metadata needs
    opening pages pool pools programs queries query repeatedly row rows server servers side size slot statement
    statements statistics structure table tables traffic transaction transactions usage value values whole
    continuously again already also because before after during between into like all any both same first last
    """,
    )
)
"""Words that may follow `user`, `table` and the like without being a name."""


def identifiers(sentence: str) -> Iterator[str]:
    """Words that look like names of things: with an underscore, a dot or an at sign within, or letters among digits."""
    for word in _WORD.findall(sentence):
        lowered = word.lower().rstrip(".")
        if lowered in _ABBREVIATIONS or lowered in _SPOKEN or _UNIT_TAIL.fullmatch(word):
            continue
        inside = word.strip("._-$@")
        mixed = re.search(r"\d", inside) is not None and re.search(r"[A-Za-z]", inside) is not None
        if any(mark in inside for mark in "_.@$") or mixed:
            yield inside


def same_moment(text: str, moment: float) -> bool:
    """Whether a written time of day or date is that moment (seconds since the epoch, UTC), to the place it shows."""
    written = text.removesuffix("UTC").strip().removesuffix("Z").replace("T", " ").lower()
    for seconds in (moment, moment + 0.5):
        at = datetime.fromtimestamp(seconds, UTC)
        shown = (f"{at:%Y-%m-%d %H:%M:%S.%f}", f"{at:%H:%M:%S}", f"{at:%I:%M %p}".lower(), f"{at:%I:%M%p}".lower())
        if any(form.startswith(written) or form.lstrip("0").startswith(written) for form in shown):
            return True
    return False
