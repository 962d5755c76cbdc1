"""Two transcripts beside each other, with what only one of them has marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table

from libs.cli.safe_text import plain
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome

WIDEST = 200
SAME, CHANGED, LEFT, RIGHT = "", "|", "<", ">"

Row = tuple[str, str, str]
"""A line of the first, a mark, and a line of the second."""


def beside(first: Sequence[str], second: Sequence[str]) -> Iterator[Row]:
    """The lines of both, equal ones in one row."""
    for what, from_, to, start, end in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for left, right in zip_longest(first[from_:to], second[start:end]):
            mark = SAME if what == "equal" else RIGHT if left is None else LEFT if right is None else CHANGED
            yield left or "", mark, right or ""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Both as a table that shares the width of a terminal between them; into a pipe it has `WIDEST` columns."""

    titles: tuple[str, str]
    first: Sequence[str]
    second: Sequence[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw for a console of this width."""
        table = Table(box=None, pad_edge=False, header_style="bold", width=min(options.max_width, WIDEST))
        table.add_column(plain(self.titles[0]), ratio=1, overflow="fold")
        table.add_column("", width=1)
        table.add_column(plain(self.titles[1]), ratio=1, overflow="fold")
        for left, mark, right in beside(self.first, self.second):
            table.add_row(plain(left), plain(mark, "red"), plain(right))
        yield table


def outcome_lines(outcome: Outcome) -> list[str]:
    """What a replay did, and what it was found to be worth."""
    lines = list(outcome.transcript)
    if outcome.status != OUTCOME_STATUS_SCORED:
        return [*lines, f"harness error: {outcome.problem}"]
    scores = [
        f"{score.scorer} {score.value:.3g}{f': {score.reason}' if score.reason else ''}" for score in outcome.scores
    ]
    return [*lines, *scores]
