"""`make bench BENCH=incidents`: every incident of the lab on every engine, asked about once through the whole mesh.

    python -m tests.bench incidents [--incident ID ...] [--engine MariaDB|MySQL ...]

One server runs at a time. Each cell is written to build/incidents/ as it ends, so that the whole can be run in parts;
`scripts/document_investigations.py` makes docs/reference/investigations.md of them.
"""

from __future__ import annotations

import sys

from libs.cli.judge.recording import lab_mesh
from libs.lab.engines import require_engines
from libs.lab.incidents import INCIDENTS
from tests.bench.incidents.cells import Cell, run_cell
from tests.bench.incidents.summary import rows_of
from tests.bench.rows import Choice, Row


def run(choice: Choice | None = None) -> list[Row]:
    """About 40 seconds a cell; three quarters of an hour for all on two engines."""
    choice = choice or Choice()
    wanted = [INCIDENTS[name] for name in choice.incidents or INCIDENTS]
    cells: list[Cell] = []
    with lab_mesh() as mesh:
        for binary in require_engines():
            if choice.engines and binary.kind not in choice.engines:
                continue
            for place, incident in enumerate(wanted):
                cell = run_cell(mesh, incident, binary, place)
                cell.write()
                cells.append(cell)
                print(_line(cell), file=sys.stderr, flush=True)
    return rows_of(cells)


def _line(cell: Cell) -> str:
    if cell.unmade:
        return f"{cell.engine} {cell.incident}: could not be brought about: {cell.unmade}"
    told = ", ".join(cell.told) or "nothing"
    problems = " ".join((*cell.wrong, *cell.unsupported))
    return f"{cell.engine} {cell.incident}: {cell.verdict} {told}, {cell.seconds:.1f} s. {problems}".rstrip()
