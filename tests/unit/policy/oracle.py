"""What policy should answer, worked out the slow and obvious way, straight from the text of the rules.

Nothing of the engine is used here: every rule is read again for every question, and globs are matched by fnmatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from libs.core.resources import Resource
from tests.unit.policy.people import Person

PERMISSION_OF = {
    "storex.fleet.v1.FleetService/GetInstance": "fleet.read",
    "storex.fleet.v1.FleetService/ListInstances": "fleet.read",
    "storex.diagnostics.v1.DiagnosticsService/GetHealth": "diagnostics.read",
    "storex.diagnostics.v1.DiagnosticsService/GetLockWaits": "diagnostics.read",
    "storex.agent.v1.AgentService/Ask": "agent.ask",
}
"""The RPCs that the matrix asks about, with the permission that each needs, written down by hand."""

LADDER = ["public", "schema", "principal"]


def lines_of(text: str, kind: str) -> list[list[str]]:
    split = [[part.strip() for part in line.split(",")] for line in text.splitlines()]
    return [parts[1:] for parts in split if parts[0] == kind]


def ended(until: str, now: float) -> bool:
    if until == "never":
        return False
    form = "%Y-%m-%d" if len(until) == 10 else "%Y-%m-%dT%H:%M:%SZ"
    return now >= datetime.strptime(until, form).replace(tzinfo=UTC).timestamp()


def names_of(person: Person, position: int, text: str, now: float) -> set[str]:
    """Everything that a rule's first column can say to mean this person."""
    if position:
        names = {"acting:" + person.subject.split(":", 1)[1]}
    else:
        names = {person.subject} | {"role:" + role for role in person.roles} | {"team:" + team for team in person.teams}
    while True:
        more = {
            link[1] for link in lines_of(text, "g") if link[0] in names and not (len(link) == 3 and ended(link[2], now))
        }
        if more <= names:
            return names | {"*"}
        names |= more


def place_fits(where: str, resource: Resource, person: Person) -> bool:
    if where == "*":
        return True
    for part in where.split():
        key, wanted = part.split("=")
        value = getattr(resource, key)
        if wanted == "$own":
            if value == "" or value not in person.teams:
                return False
        elif not any(fnmatchcase(value, pattern) for pattern in wanted.split("|")):
            return False
    return True


def subject_matter_fits(what: str, effect: str, permission: str, rpc: str) -> bool:
    if "/" in what:
        if rpc:
            return what.lstrip("/") == rpc
        return effect == "deny" and PERMISSION_OF.get(what.lstrip("/")) == permission
    return fnmatchcase(permission, what)


def may(
    text: str, people: Sequence[Person], permission: str, rpc: str, resource: Resource, cls: str, now: float
) -> bool:
    """Whether all of the people may, and see data of the class in clear."""
    for position, person in enumerate(people):
        names = names_of(person, position, text, now)
        effects = set()
        for who, where, what, rule_cls, until, effect in lines_of(text, "p"):
            asked, held = LADDER.index(cls), LADDER.index(rule_cls)
            reaches = asked >= held if effect == "deny" else asked <= held
            if (
                who in names
                and reaches
                and not ended(until, now)
                and subject_matter_fits(what, effect, permission, rpc)
                and place_fits(where, resource, person)
            ):
                effects.add(effect)
        if effects != {"allow"}:
            return False
    return bool(people)
