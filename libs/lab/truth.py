"""What a report about an incident has to say, found out at the server and not taken from the injector's intent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from libs.core.catalogue import CATALOGUE

HEALTHY = "healthy"

Entity = tuple[str, str, str]
"""Role, type and value, in the words of the root-cause catalogue."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The root cause that is really there (`healthy` for none), and the things that play a part in it."""

    kind: str
    entities: tuple[Entity, ...] = ()
    also: tuple[Truth, ...] = ()
    """Other faults that are there at the same time."""

    def to_json(self) -> dict[str, Any]:
        """As plain values, for another process."""
        return {
            "kind": self.kind,
            "entities": [list(entity) for entity in self.entities],
            "also": [fault.to_json() for fault in self.also],
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Truth:
        """What `to_json` gave."""
        entities = tuple((role, type_, value) for role, type_, value in plain["entities"])
        return cls(plain["kind"], entities, tuple(cls.from_json(fault) for fault in plain["also"]))

    @property
    def decisive(self) -> tuple[Entity, ...]:
        """The entities that a right report names: what the catalogue requires, or all if none of that is known."""
        if self.kind == HEALTHY:
            return ()
        required = {(entity.role, entity.type) for entity in CATALOGUE[self.kind].entities if entity.required}
        return tuple(entity for entity in self.entities if entity[:2] in required) or self.entities

    @property
    def faults(self) -> tuple[Truth, ...]:
        """Every fault, each by itself; empty for a healthy server."""
        return () if self.kind == HEALTHY else (replace(self, also=()), *self.also)

    def unmet(self, root_causes: Iterable[tuple[str, Iterable[Entity]]]) -> list[str]:
        """What is wrong or missing in a report's root causes (kind, entities), in sentences; empty when it is right."""
        reported = [(kind, set(entities)) for kind, entities in root_causes]
        problems = [problem for fault in self.faults for problem in fault._missing_from(reported)]
        there = [fault.kind for fault in self.faults]
        but = f"only {' and '.join(there)} {'is' if len(there) == 1 else 'are'} there" if there else "nothing is wrong"
        return problems + [f"{kind} was reported, but {but}." for kind, _ in reported if kind not in there]

    def _missing_from(self, reported: list[tuple[str, set[Entity]]]) -> list[str]:
        named = [entities for kind, entities in reported if kind == self.kind]
        if not named:
            return [f"{self.kind} was not reported."]
        return [
            f"{role} {type_} is {value}, which was not reported."
            for role, type_, value in self.decisive
            if not any((role, type_, value) in entities for entities in named)
        ]
