"""What came of each cell, kept in files that the documentation is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from libs.lab.engines import EngineBinary
from tests.integration.shard.matrix.watching import Sighting

FOLDER = Path(__file__).parents[4] / "build" / "detection"


def record(
    group: str,
    name: str,
    title: str,
    binary: EngineBinary,
    *,
    watched: Sighting,
    fresh: Sighting | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write a cell's result; `fresh` is what a shard saw that was started only after the fault had come about."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    cell = {
        "group": group,
        "name": name,
        "title": title,
        "engine": binary.kind,
        "version": binary.version,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "watched": asdict(watched),
        "fresh": None if fresh is None else asdict(fresh),
        **(more or {}),
    }
    path = FOLDER / f"{binary.kind}-{binary.version}-{group}-{name}.json"
    path.write_text(json.dumps(cell, indent=1) + "\n", encoding="utf-8")
