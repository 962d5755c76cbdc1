"""Write docs/reference/investigations.md from what a run of `make bench BENCH=incidents` left in build/incidents."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from libs.lab.incidents import INCIDENTS  # noqa: E402 - the repository's root has to be importable first
from tests.bench.incidents.cells import FOLDER, Cell  # noqa: E402
from tests.bench.incidents.summary import AIM_SECONDS, bootstrap, has_holder, wilson  # noqa: E402
from tests.bench.rows import percentile  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "investigations.md"
DATA = PAGE.with_suffix(".json")
"""The results that the page shows: a cell may be run again by itself."""

HEAD = """# What an investigation comes to

Made by `scripts/document_investigations.py` from runs of `make bench BENCH=incidents` on {dates}, on {engines}. Make it
anew with `.venv/bin/python -m tests.bench incidents` (`--incident` and `--engine` narrow it) and then
`.venv/bin/python scripts/document_investigations.py`. Machines that are busy with other things take longer, and miss
some. A cell shows its newest run: whoever runs again only what was missed makes the sums better than they are.

Each cell is a server of its own with its service at work, in a whole mesh. It is looked at for nine seconds, the
incident is brought about, and twelve seconds later somebody asks once, "why is it slow?", without a model. *Exact*
means: the causes of the report are those that are there, each once and no other. *Parts* are who holds, which
statement, table, user, program and variable it is: all of them right, none else named. The truth is read from the
server by the lab, which shares nothing with the detectors. Every claim of the report is looked up once more in the
agent's recorded answers by code that shares nothing with its verifier: each cited value, each citation, each entity,
each figure of each sentence, each cause that was ruled out.
"""
NOTE = """
What a kind of server does not show is not asked for: whose logins MariaDB refuses (unless `userstat` is on), and which
table its replication applier is at work on. Seconds are those from the question to the whole report, as a client sees
them; the aim is {aim:.0f} s in the median.
"""


def cells_of(folder: Path, known: Path) -> list[Cell]:
    """The results of every cell: those that are known, and those of the folder in their place."""
    before = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else []
    fresh = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    cells = {(cell["engine"], cell["incident"]): Cell(**cell) for cell in (*before, *fresh)}
    return [cells[key] for key in sorted(cells) if key[1] in INCIDENTS]


def page(cells: list[Cell]) -> str:
    """The whole page."""
    engines = sorted({f"{cell.engine} {cell.version}" for cell in cells})
    dates = sorted({cell.at[:10] for cell in cells})
    head = HEAD.format(dates=" to ".join(dict.fromkeys((dates[0], dates[-1]))), engines=" and ".join(engines))
    parts = [head, NOTE.format(aim=AIM_SECONDS), "\n## In sum\n\n", *_sum(cells), "\n## Each cell\n\n", *_table(cells)]
    return "".join(parts)


def _sum(cells: list[Cell]) -> Iterable[str]:
    engines = sorted({cell.engine for cell in cells})
    groups = [[cell for cell in cells if not cell.unmade and cell.engine in chosen] for chosen in (engines, *engines)]
    yield "| | all |" + "".join(f" {engine} |" for engine in engines) + "\n"
    yield "|---|---|" + "---|" * len(engines) + "\n"
    faults = [[cell for cell in group if not cell.is_control] for group in groups]
    held = [[cell for cell in group if has_holder(cell)] for group in faults]
    controls = [[cell for cell in group if cell.is_control] for group in groups]
    yield _row("causes exact", [_share([cell.exact for cell in group]) for group in faults])
    yield _row("parts right too", [_share([cell.exact and not cell.wrong for cell in group]) for group in faults])
    yield _row("holder or channel right", [_share([not cell.wrong for cell in group]) for group in held])
    yield _row("silent on controls", [_share([cell.silent for cell in group]) for group in controls])
    yield _row("unsupported claims", [_claims(group) for group in groups])
    yield _row("confirmed and wrong", [str(sum(cell.wrongly_confirmed for cell in group)) for group in groups])
    yield _row("seconds, median", [_seconds(group) for group in groups])
    yield _row(
        "tool calls, median", [f"{percentile([float(c.tool_calls) for c in group], 0.5):.0f}" for group in groups]
    )
    yield "\nIn brackets: 95 % intervals, by Wilson for shares and by resampling for seconds.\n"


def _row(title: str, columns: list[str]) -> str:
    return f"| {title} |" + "".join(f" {column} |" for column in columns) + "\n"


def _share(outcomes: list[bool]) -> str:
    low, high = wilson(sum(outcomes), len(outcomes))
    return f"{sum(outcomes)} of {len(outcomes)} ({low:.0%} to {high:.0%})" if outcomes else "none"


def _claims(cells: list[Cell]) -> str:
    return f"{sum(len(cell.unsupported) for cell in cells)} of {sum(cell.claims for cell in cells):,}"


def _seconds(cells: list[Cell]) -> str:
    seconds = [cell.seconds for cell in cells]
    low, high = bootstrap(seconds, 0.5)
    return f"{percentile(seconds, 0.5):.1f} s ({low:.1f} to {high:.1f})"


def _table(cells: list[Cell]) -> Iterable[str]:
    engines = sorted({cell.engine for cell in cells})
    versions = {engine: sorted({cell.version for cell in cells if cell.engine == engine}) for engine in engines}
    yield "| | what happens |" + "".join(f" {engine} {', '.join(versions[engine])} |" for engine in engines) + "\n"
    yield "|---|---|" + "---|" * len(engines) + "\n"
    for incident in INCIDENTS.values():
        mine = {cell.engine: cell for cell in cells if cell.incident == incident.id}
        if mine:
            columns = "".join(f" {_words(mine.get(engine))} |" for engine in engines)
            yield f"| `{incident.id}` | {incident.title} |{columns}\n"


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "not run"
    if cell.unmade:
        return "could not be made"
    told = ", ".join(f"`{kind}`" for kind in cell.told) or "nothing"
    if cell.is_control:
        outcome = "silent" if cell.silent else f"**{told}**"
    elif cell.exact:
        outcome = "exact" if not cell.wrong else "exact, **parts wrong**"
    else:
        outcome = f"**told {told}**"
    more = f", **{len(cell.unsupported)} unsupported**" if cell.unsupported else ""
    return f"{outcome}{more}, {cell.verdict.lower()}, {cell.seconds:.1f} s"


def main() -> int:
    """Run from the command line; returns the exit status."""
    cells = cells_of(FOLDER, DATA)
    if not cells:
        print("There are no results in build/incidents: run `python -m tests.bench incidents` first.")
        return 1
    DATA.write_text("[\n" + ",\n".join(json.dumps(_plain(cell)) for cell in cells) + "\n]\n", encoding="utf-8")
    PAGE.write_text(page(cells), encoding="utf-8")
    return 0


def _plain(cell: Cell) -> dict[str, object]:
    """As the page's data holds it: answers name hosts and ports of a machine, and are not needed."""
    return {name: getattr(cell, name) for name in Cell.__slots__ if name != "answer"}


if __name__ == "__main__":
    sys.exit(main())
