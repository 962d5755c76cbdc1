"""Write docs/reference/detection.md from what a run of tests/integration/shard/matrix left in build/detection."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from libs.core.catalogue import CATALOGUE
from libs.lab.incidents import INCIDENTS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "detection"
PAGE = ROOT / "docs" / "reference" / "detection.md"
DATA = PAGE.with_suffix(".json")
"""The results that the page shows: a cell may be run again by itself."""

Cell = Mapping[str, Any]

NOT_MADE = {
    "capacity.disk_full": (
        "no detector looks for it yet. It takes a file system of its own, which only root may mount. Tried with all of"
        " a server's data on one: once it was full, MariaDB 10.11 broke off its connections, and MySQL 9.7 refused with"
        " error 1114 even to list its sessions, so that neither could be asked about it"
    ),
    "maintenance.backup": (
        "no detector looks for it yet. A backup that locks is found as `lock.global_read`, one whose read view grows"
        " old as `innodb.purge_lag`; one that only reads, and slows others by it, has no incident yet"
    ),
}
"""Ids of the catalogue that the lab has no incident for, and why."""

GROUPS = {
    "incident": (
        "The lab's incidents",
        "Each on a server of its own with its service at work. The first figure is of a shard that watched from before"
        " the incident, the second of one that was started after it had come about and knows nothing of before: seconds"
        " until the first of three right answers in a row.",
    ),
    "foreign": (
        "The same causes in other guises",
        "Faults that the lab does not hold, in another schema, with other clients and accounts"
        " (`tests/integration/shard/matrix/foreign/`). Figures as above.",
    ),
    "unobserved": (
        "MariaDB with performance_schema off",
        "As MariaDB starts unless told otherwise. What cannot be seen then must be reported as not checked, with what"
        " mends it, and never as clear.",
    ),
    "aftermath": (
        "After the end of a fault",
        "Seconds from the end of each of the lab's incidents, which the shard had found before, to the first of three"
        " answers in a row that say nothing is wrong. What is measured over a window has to leave it first.",
    ),
    "control": (
        "Servers on which nothing is wrong",
        "Asked every two seconds for a minute, or for half of one in another schema (`calm`), from the first second on."
        " Any finding at all counts.",
    ),
}
HEAD = """# What is found of which fault

Made by `scripts/document_detection.py` from runs of `tests/integration/shard/matrix/` on {dates}, on
{engines}. Make it anew with `.venv/bin/pytest -m slow tests/integration/shard/matrix` and then
`.venv/bin/python scripts/document_detection.py`. Machines that are busy with other things take longer.

*Exact* means: the root causes of the answer are those that are there, each once and no other, with the right holder,
statement, tables, user, program and variable. What another finding explains is no root cause. The truth is read from
the server by the lab, which shares nothing with the detectors. *Extra* has a cause too many, *wrong* names somebody or
something else, *missed* lacks a cause, *not checked* says that it cannot see. A cause that is not there, and was told
for a moment before the answers were right, is named in the cell.

What a kind of server does not show is not asked for: whose logins MariaDB refuses (unless `userstat` is on), and which
table its replication applier is at work on. A shard that came after a plan had become worse cannot know the one
before: it is right then to call it `query.missing_index` or `query.heavy_scan`.
"""


def cells_of(folder: Path, known: Path) -> list[Cell]:
    """The results of every cell: those that are known, and those of the folder in their place."""
    before: list[Cell] = json.loads(known.read_text(encoding="utf-8")) if known.is_file() else []
    fresh: list[Cell] = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    cells = {(cell["engine"], cell["group"], cell["name"]): cell for cell in (*before, *fresh)}
    return [cells[key] for key in sorted(cells)]


def page(cells: list[Cell]) -> str:
    """The whole page."""
    engines = [f"{engine} {versions}" for engine, versions in _versions(cells).items()]
    dates = sorted({str(cell["at"])[:10] for cell in cells})
    parts = [HEAD.format(dates=" to ".join(dict.fromkeys((dates[0], dates[-1]))), engines=" and ".join(engines))]
    for group, (title, text) in GROUPS.items():
        mine = [cell for cell in cells if cell["group"] == group]
        if mine:
            parts += [f"\n## {title}\n\n{text}\n\n", *_table(mine)]
    parts.append("\n## Not made here\n\nIds of the catalogue for which the lab has no incident:\n\n")
    parts += [f"- `{kind}`: {reason}\n" for kind, reason in NOT_MADE.items()]
    return "".join(parts)


def _versions(cells: list[Cell]) -> dict[str, str]:
    """The engines with the versions that ran: cells may be run again by themselves, on a later one."""
    ran = sorted({(str(cell["engine"]), str(cell["version"])) for cell in cells})
    return {engine: ", ".join(version for name, version in ran if name == engine) for engine, _ in ran}


def _table(cells: list[Cell]) -> Iterable[str]:
    engines = _versions(cells)
    yield "| | what happens |" + "".join(f" {engine} {versions} |" for engine, versions in engines.items()) + "\n"
    yield "|---|---|" + "---|" * len(engines) + "\n"
    order = {name: place for place, name in enumerate(INCIDENTS)}
    names = dict.fromkeys(str(cell["name"]) for cell in sorted(cells, key=lambda cell: order.get(cell["name"], -1)))
    for name in names:
        by_engine = {cell["engine"]: cell for cell in cells if cell["name"] == name}
        title = next(iter(by_engine.values()))["title"]
        columns = "".join(f" {_words(by_engine.get(engine))} |" for engine in engines)
        yield f"| `{name}` | {title} |{columns}\n"


def _words(cell: Cell | None) -> str:
    if cell is None:
        return "not there, or not run yet"
    sightings = [sighting for sighting in (cell["watched"], cell["fresh"]) if sighting is not None]
    strays = dict.fromkeys(stray for sighting in sightings for stray in map(_kind, sighting["strays"]))
    if cell["group"] == "control":
        return "silent" if not strays else f"**reported {', '.join(strays)}**"
    told = ", ".join(_outcome(sighting) for sighting in sightings)
    if cell["group"] == "aftermath" and sightings[0]["outcome"] == "exact":
        told = f"silent after {sightings[0]['seconds']:.1f} s"
    elif all(sighting["outcome"] == "exact" for sighting in sightings):
        told = "exact, " + " / ".join(f"{sighting['seconds']:.1f} s" for sighting in sightings)
    return told + (f" (at first also {', '.join(strays)})" if strays else "")


def _outcome(sighting: Mapping[str, Any]) -> str:
    if sighting["outcome"] == "exact":
        return f"exact, {sighting['seconds']:.1f} s"
    return {"blind": "not checked"}.get(sighting["outcome"], f"**{sighting['outcome']}**")


def _kind(stray: str) -> str:
    return f"`{stray.partition(' s: ')[2].partition(':')[0] or stray.partition(':')[0]}`"


def main() -> int:
    """Run from the command line; returns the exit status."""
    cells = cells_of(RESULTS, DATA)
    if not cells:
        print("There are no results in build/detection: run pytest -m slow tests/integration/shard/matrix first.")
        return 1
    DATA.write_text("[\n" + ",\n".join(json.dumps(cell) for cell in cells) + "\n]\n", encoding="utf-8")
    PAGE.write_text(page(cells), encoding="utf-8")
    return 0


def unaccounted() -> set[str]:
    """Ids of the catalogue that are neither made nor said to be not made, or both."""
    return set(CATALOGUE) ^ ({found for found in INCIDENTS if found in CATALOGUE} | set(NOT_MADE))


if __name__ == "__main__":
    sys.exit(main())
