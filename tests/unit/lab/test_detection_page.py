"""The page about what is found of which fault: made from results, and whole."""

from __future__ import annotations

from libs.lab.incidents import INCIDENTS
from scripts import document_detection


def cell(name: str, engine: str, **changes: object) -> dict[str, object]:
    sighting = {"outcome": "exact", "seconds": 1.25, "problems": [], "strays": []}
    return {
        "group": "incident",
        "name": name,
        "title": "Something happens",
        "engine": engine,
        "version": "1.2.3",
        "at": "2026-01-02T03:04:05+00:00",
        "watched": {**sighting, **changes},
        "fresh": sighting,
    }


def test_every_id_of_the_catalogue_is_made_or_said_not_to_be() -> None:
    assert document_detection.unaccounted() == set()


def test_a_cell_tells_seconds_and_what_was_wrong() -> None:
    page = document_detection.page(
        [
            cell("lock.metadata", "MariaDB"),
            cell("lock.metadata", "MySQL", outcome="missed", strays=["lock.row_blocker: Connection 3 sleeps."]),
        ]
    )
    [row] = [line for line in page.splitlines() if line.startswith("| `lock.metadata`")]
    assert "| exact, 1.2 s / 1.2 s |" in row
    assert "**missed**, exact, 1.2 s (at first also `lock.row_blocker`) |" in row


def test_the_page_has_every_incident_on_both_engines() -> None:
    page = document_detection.PAGE.read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(INCIDENTS) <= set(rows)
    assert "| what happens | MariaDB" in page
    assert " MySQL " in page
