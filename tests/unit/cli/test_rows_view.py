from __future__ import annotations

import io

import pytest
from rich.console import Console

from libs.cli.output import RowsView

ROWS = RowsView(("id", "user", "statement"), [("812", "", "SELECT 1 FROM t"), ("813", "payments", "\x1b[2J")])


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "id   user      statement\n812            SELECT 1 FROM t\n813  payments  \\x1b[2J\n"),
        (28, "id: 812\nstatement: SELECT 1 FROM t\n\nid: 813\nuser: payments\nstatement: \\x1b[2J\n"),
    ],
)
def test_rows_that_do_not_fit_are_blocks_of_lines(width: int, shown: str) -> None:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(ROWS)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert "\n".join(lines) + "\n" == shown
