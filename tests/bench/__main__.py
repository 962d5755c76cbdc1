"""`make bench [BENCH=name]`: run the measures, print a table, and add a row per measure to bench/results.jsonl.

    python -m tests.bench [NAME ...] [--incident ID ...] [--engine MariaDB|MySQL ...]

The options narrow `incidents`, which is not among those that run where none is named: it takes most of an hour.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libs.lab.incidents import INCIDENTS
from tests.bench.rows import Choice, Row

RESULTS = Path("bench/results.jsonl")
BENCHES = {
    "agent": "a step of the agent beyond models and calls, alone and fifty at once",
    "relay": "a call through the coordinator against a direct call to the shard",
    "question": "seconds from question to report",
    "hidden": "a refusal of what is hidden against one of what is not there",
    "harm": "what watching costs a server, and how soon health is answered",
    "incidents": "every incident on every engine, asked about once through the whole mesh",
    "detect": "seconds from the symptom of each incident to its finding",
    "snapshot": "a snapshot made and asked, against live health",
    "judge": "a hundred recorded worlds replayed cold, against health of as many",
    "policy": "policy decisions, cached and not, and reload",
}
"""Each is a module of this package with `run() -> list[Row]`."""
NARROWED = ("incidents",)
"""Those whose `run` takes a Choice; they run only where they are named."""


def table_of(rows: Sequence[Row]) -> Table:
    """The rows as people read them."""
    table = Table("measure", "value", "unit", "baseline", "ratio")
    for row in rows:
        baseline = "" if row.baseline is None else f"{row.baseline:,.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        table.add_row(row.name, f"{row.value:,.4g}", row.unit, baseline, ratio)
    return table


def main(arguments: Sequence[str]) -> int:
    """Run the named benches, or all; returns the exit status."""
    options = _options(arguments)
    names: list[str] = options.names
    unknown = set(names) - BENCHES.keys()
    if unknown:
        known = "; ".join(f"{name}: {what}" for name, what in BENCHES.items())
        print(f"No such bench: {', '.join(sorted(unknown))}. There is {known}.", file=sys.stderr)
        return 2
    choice = Choice(tuple(options.incident), tuple(options.engine))
    rows: list[Row] = []
    for name in names or (name for name in BENCHES if name not in NARROWED):
        run = importlib.import_module(f"tests.bench.{name}").run
        rows += run(choice) if name in NARROWED else run()
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as out:
        out.writelines(json.dumps(row.as_dict()) + "\n" for row in rows)
    Console().print(table_of(rows))
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--incident", action="append", default=[], choices=list(INCIDENTS), metavar="ID")
    parser.add_argument("--engine", action="append", default=[], choices=["MariaDB", "MySQL"])
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
