"""Write docs/reference/root-causes.md from libs/core/catalogue.py, or with --check say whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from libs.core.catalogue import CATALOGUE, RootCause

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "root-causes.md"

HEAD = """# The root-cause catalogue

Made by `make docs` from `libs/core/catalogue.py`. The ids are part of the contract: they may be added to, never
renamed. A root cause is the most specific id that no other finding explains; what another finding explains goes to
the causal chain. Between ids that rest on the same evidence the higher precedence wins.

Entities in **bold** must be named, and every piece of required evidence must be cited and verified, before a report
may say `VERDICT_CONFIRMED`. An id without required evidence is at most `VERDICT_LIKELY`.

| id | what it means | precedence | entities by role | required evidence |
|---|---|---|---|---|
"""


def row(entry: RootCause) -> str:
    """One line of the table."""
    entities = ", ".join(
        f"**{part.role} {part.type}**" if part.required else f"{part.role} {part.type}" for part in entry.entities
    )
    evidence = "<br>".join(
        f"`{item.tool}` `{item.path}`" + (f" = `{item.value}`" if item.value else "") for item in entry.evidence
    )
    return f"| `{entry.id}` | {entry.title} | {entry.precedence} | {entities} | {evidence or '—'} |\n"


def page() -> str:
    """The whole page."""
    return HEAD + "".join(row(entry) for entry in CATALOGUE.values())


def main() -> int:
    """Run from the command line; returns the exit status."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/reference/root-causes.md is not what the catalogue says: run `make docs`.")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
