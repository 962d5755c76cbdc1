"""SQL without its literals: one pass over the tokens, linear, and closed where a text can be read in two ways.

The text is read as MySQL and MariaDB would at once. Where their readings part, or those of the SQL modes `ANSI_QUOTES`
and `NO_BACKSLASH_ESCAPES` (which an observer cannot know of another session), the scan stops and the rest is dropped:

- what stands in `'` or `"` goes, whatever the modes; an escaped quote ends the scan, for it may be the string's end;
- numbers, hex, bit and national literals go; so do words that start with a digit or hold other than ASCII letters;
- comments and hints go; those that the engine executes end the scan where their own end is in doubt;
- account names go, for they are PRINCIPAL and the text is SCHEMA; so do the names of user variables;
- names in backticks and bare words stay, but for bare words right after a literal: an alias, or a slipped quote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from libs.redaction.lexicon import RESERVED
from libs.redaction.scanner import MARK, MORE, scan
from libs.redaction.tables import tables_in

MAX_LENGTH = 65_536
"""Longest text that is looked at, in characters; what follows is dropped."""

OWN_DIGEST = "sx-"
"""How Storex's own digests begin."""

_TIGHT = frozenset({",", ")", ";", "."})
_TIGHT_AFTER = frozenset({"(", ".", "@", "@@"})


@dataclass(frozen=True, slots=True)
class NormalisedSql:
    """A statement without literals: its `text`, Storex's own `digest` of that, and the `tables` it names, in order.

    `complete` is false where the scan stopped before the end; the text then ends in `...`.
    """

    text: str
    digest: str
    tables: tuple[str, ...]
    complete: bool


def normalise(sql: str) -> NormalisedSql:
    """The statement with every literal replaced by `?`; never raises, and never repeats a literal."""
    tokens, complete = scan(sql[:MAX_LENGTH])
    complete = complete and len(sql) <= MAX_LENGTH
    while complete and tokens and tokens[-1] == ";":
        tokens.pop()
    if not complete and tokens[-1:] != [MORE]:
        tokens.append(MORE)
    text = _joined(tokens)
    digest = f"{OWN_DIGEST}{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return NormalisedSql(text, digest, tables_in(tokens), complete)


def _joined(tokens: Sequence[str]) -> str:
    pieces: list[str] = []
    last = ""
    for piece in tokens:
        is_call = piece == "(" and last not in RESERVED and (last[-1:].isalnum() or last[-1:] in ("_", "`"))
        is_host = piece == "@" and last == MARK
        is_tight = is_call or is_host or piece in _TIGHT or (last in _TIGHT_AFTER and piece != MORE)
        if pieces and not is_tight:
            pieces.append(" ")
        pieces.append(piece)
        last = piece
    return "".join(pieces)
