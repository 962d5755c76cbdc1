"""Takes the line ends out of statements that the InnoDB monitor quotes, so that none can pass for its own lines.

A statement is printed as it was sent. A literal in it may hold whole lines of a monitor, with the end of the literal
among them, and what is read from such lines would leave as the name of a table, an index or an account.
"""

from __future__ import annotations

import re

MAX_QUOTED = 1024
"""Longest thread line with its statement: both engines print them through a buffer of this many bytes."""

_THREAD_LINE = re.compile(r"^(?:MySQL|MariaDB) thread id \d+, OS thread handle .*$", re.MULTILINE)
_TOKEN = re.compile(
    r"""
      [^'"`/\#\n-]+ | -(?!-[\x00-\x20]) | /(?!\*) | \n(?!\*\*\*|---|Trx\ |TABLE\ LOCK|RECORD\ LOCKS|Foreign\ key)
    | (?:\#|--) [^\n]*
    | '[^'\\]*(?:(?:''|\\[^'])[^'\\]*)*' | "[^"\\]*(?:(?:""|\\[^"])[^"\\]*)*" | `[^`]*`
    | /\*(?![!+M]) [^*]*(?:\*(?!/)[^*]*)* \*/
    """,
    re.VERBOSE | re.DOTALL,
)
"""One token of a statement that is read alike in every SQL mode, or a line end that is still a part of it."""


def without_quoted_lines(monitor: str) -> str:
    """The monitor's text with each quoted statement on one line.

    Where it cannot be told for certain where a statement ends (it was cut off, or its backslashes mean one thing or
    another by the session's mode), all that may belong to it becomes one line.
    """
    kept, position = [], 0
    while (thread := _THREAD_LINE.search(monitor, position)) is not None:
        end = _statement_end(monitor, thread.end(), thread.start() + MAX_QUOTED)
        first = min(thread.end() + 1, end)
        kept += [monitor[position:first], monitor[first:end].replace("\n", " ")]
        position = end
    return "".join([*kept, monitor[position:]])


def _statement_end(monitor: str, start: int, limit: int) -> int:
    position = start
    while (token := _TOKEN.match(monitor, position, limit)) is not None:
        position = token.end()
    certain = position < min(limit, len(monitor)) and monitor[position] == "\n"
    return position if certain else min(limit, len(monitor))
