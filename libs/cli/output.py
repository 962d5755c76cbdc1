"""Where results, steps and errors go: standard output for results, standard error for all else, JSON where asked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from libs.cli.safe_text import plain

# Into a pipe nothing is wrapped or cut: a line stays a line, for grep.
_PIPE_COLUMNS = 4000


def console_for(stream: TextIO) -> Console:
    """A console that draws for people on a terminal and writes unwrapped lines into a pipe."""
    width = None if stream.isatty() else _PIPE_COLUMNS
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


class Output:
    """A command's output; `as_json` is its `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._results = console_for(sys.stdout)
        self._notes = console_for(sys.stderr)

    @property
    def is_interactive(self) -> bool:
        """Whether somebody watches standard error."""
        return self._notes.is_terminal

    def json(self, data: Any) -> None:
        """Print data as JSON."""
        _write(json.dumps(data, indent=2, ensure_ascii=not _speaks_unicode(sys.stdout)) + "\n")

    def line(self, data: Any) -> None:
        """Print data as one line of JSON, at once."""
        _write(json.dumps(data) + "\n")

    def show(self, *renderables: RenderableType) -> None:
        """Print a result for people."""
        with self._results.capture() as capture:
            for renderable in renderables:
                self._results.print(renderable)
        # A table pads its last column too; nobody downstream of a pipe wants that.
        _write("\n".join(line.rstrip(" ") for line in capture.get().split("\n")))

    def note(self, text: str, style: str = "") -> None:
        """Tell the person who watches; data in `text` is made safe here."""
        self._notes.print(plain(text, style))


def proto_json(message: Message) -> dict[str, Any]:
    """A message as JSON: proto field names, defaults printed, enum values with their prefix."""
    data: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return data


@dataclass(frozen=True, slots=True)
class RowsView:
    """Rows as a table where its columns fit, else each row as a block of `name: value` lines, empty ones left out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw for a console of this width."""
        table = table_of(self.columns, self.rows)
        needed = console.measure(table, options=options.update(max_width=_PIPE_COLUMNS)).maximum
        if needed <= options.max_width:
            yield table
            return
        for number, row in enumerate(self.rows):
            if number:
                yield Text("")
            for column, cell in zip(self.columns, row, strict=True):
                if cell:
                    yield Text.assemble((f"{column}: ", "bold"), plain(cell))


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None) -> Table:
    """A table without lines; cells are data, and a cell whose text is a key of `styles` is drawn in that style."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell, (styles or {}).get(cell, "")) for cell in row))
    return table


def _write(text: str) -> None:
    """Write a result, at once; a reader who has seen enough, such as `head`, is no failure."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would fail again at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _speaks_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"
