"""Every way in which an engine may read a text, letter by letter: an oracle for the scrubber, written apart from it.

A reading differs in whether a backslash escapes (`NO_BACKSLASH_ESCAPES`), and in whether what stands in an executable
comment is code or is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

CODE, STRING, NAME, LINE_COMMENT, COMMENT = "code", "string", "name", "line comment", "comment"


def hidden_somewhere(text: str) -> list[bool]:
    """For each character, whether some reading takes it for a part of a string or a comment."""
    hidden = [False] * len(text)
    for escapes, executes in product((True, False), repeat=2):
        for position, state in enumerate(_states(text, escapes=escapes, executes=executes)):
            hidden[position] |= state in (STRING, COMMENT, LINE_COMMENT)
    return hidden


def _states(text: str, *, escapes: bool, executes: bool) -> Iterator[str]:
    state, quote, position, executed = CODE, "", 0, False
    while position < len(text):
        width, after = 1, state
        here, two = text[position], text[position : position + 2]
        if state == CODE:
            after, quote, width = _opened(text, position, executes=executes)
            if after == CODE and width == 3:
                executed = True
            elif executed and two == "*/":
                executed, width = False, 2
        elif state in (STRING, NAME):
            if state == STRING and escapes and here == "\\":
                width = 2
            elif here == quote:
                width = 2 if two == quote * 2 else 1
                after = state if width == 2 else CODE
        elif state == LINE_COMMENT:
            after = CODE if here in "\n\x00" else state
        elif two == "*/":
            after, width = CODE, 2
        shown = state if state != CODE else after
        yield from [shown] * min(width, len(text) - position)
        state, position = after, position + width


def _opened(text: str, position: int, *, executes: bool) -> tuple[str, str, int]:
    """What begins here: the state, its quote, and how many characters say so."""
    here, two, three = text[position], text[position : position + 2], text[position : position + 3]
    if here in "'\"":
        return STRING, here, 1
    if here == "`":
        return NAME, here, 1
    if three in ("/*!", "/*+") and executes:
        return CODE, "", 3
    if two == "/*":
        return COMMENT, "", 2
    if here == "#" or (two == "--" and (len(three) == 2 or three[2] <= " " or three[2] == "\x7f")):
        return LINE_COMMENT, "", 1
    return CODE, "", 1
