"""Statements as they were seen running, with their literals: in memory only, a few, and only where that is allowed.

They never leave the shard; the engine is given one back to explain it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

CAPACITY = 500
"""Statements that are remembered for one instance."""
LONGEST = 16_384
"""Longer texts are cut where they are read, and could not be explained."""


@dataclass(frozen=True, slots=True)
class SeenText:
    """A statement with the schema that it ran in."""

    schema: str
    sql: str


class SeenTexts:
    """The texts of one instance by digest, those seen last."""

    def __init__(self, allowed: Callable[[], bool]) -> None:
        """`allowed` tells at each moment whether statements of the instance may be explained."""
        self.allowed = allowed
        self._texts: OrderedDict[str, SeenText] = OrderedDict()

    def note(self, digest: str, schema: str, sql: str) -> None:
        """Remember a text, if that is allowed; else forget all."""
        if not self.allowed():
            self._texts.clear()
        elif len(sql) < LONGEST:
            self._texts[digest] = SeenText(schema, sql)
            self._texts.move_to_end(digest)
            if len(self._texts) > CAPACITY:
                self._texts.popitem(last=False)

    def get(self, digest: str) -> SeenText | None:
        """The text of a digest, if it was seen."""
        return self._texts.get(digest) if self.allowed() else None
