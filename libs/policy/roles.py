"""Who a principal is to the rules: itself, its roles (with what those inherit), its teams, and everybody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from libs.policy.decision import PrincipalLike
from libs.policy.files import Link, PolicyError, Problem

EVERYBODY = "*"
ACTING = "acting"
MOST_MEMBERSHIPS = 1_000
"""A token with more teams and roles than this is refused: it would make every decision slow."""

_NAME = re.compile(r"[^\s,\x00-\x1f\x7f]{1,256}")


@dataclass(frozen=True, slots=True)
class Holder:
    """A principal as the rules see it. `until` is when the first of its temporary roles ends, or infinity."""

    subjects: frozenset[str]
    teams: frozenset[str]
    until: float


def well_formed(principal: PrincipalLike, *, acting: bool = False) -> bool:
    """Whether the names are such that rules can be applied to them.

    The subject must be of the principal's own kind: a token whose subject reads `role:dba` is nobody. Only services act
    for others.
    """
    kind, colon, name = principal.subject.partition(":")
    memberships = len(principal.teams) + len(principal.roles)
    return (
        colon == ":"
        and kind == principal.kind
        and (kind == "service" or (kind == "user" and not acting))
        and _NAME.fullmatch(name) is not None
        and memberships <= MOST_MEMBERSHIPS
        and all(_NAME.fullmatch(part) for part in (*principal.teams, *principal.roles))
    )


class RoleLinks:
    """The `g` lines of a policy, ready to be followed; built in one pass over the lines."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._roles: dict[str, list[tuple[str, float]]] = {}
        for link in links:
            self._roles.setdefault(link.member, []).append((link.role, link.until))

    def holder(self, principal: PrincipalLike, now: float, *, acting: bool = False) -> Holder:
        """The principal with all the roles that it holds at `now`, directly or through others.

        A service that acts for a user is `acting:NAME` and no more: what it may do on its own does not count.
        """
        if acting:
            subjects = {f"{ACTING}:{principal.subject.partition(':')[2]}": None}
        else:
            roles, teams = (f"role:{role}" for role in principal.roles), (f"team:{team}" for team in principal.teams)
            subjects = dict.fromkeys((principal.subject, *roles, *teams))
        until, pending = float("inf"), list(subjects)
        while pending:
            for role, ends in self._roles.get(pending.pop(), ()):
                if now >= ends:
                    continue
                until = min(until, ends)
                if role not in subjects:
                    subjects[role] = None
                    pending.append(role)
        return Holder(frozenset((*subjects, EVERYBODY)), principal.teams, until)


def check_acyclic(links: Iterable[Link]) -> None:
    """Raise PolicyError where roles inherit from each other in a circle: one of the files is not meant so."""
    links = list(links)
    inherits: dict[str, list[str]] = {}
    for link in links:
        if link.member.startswith("role:"):
            inherits.setdefault(link.member, []).append(link.role)
    problems = []
    for link in links:
        if link.member.startswith("role:") and link.member in _reachable(link.role, inherits):
            message = f"{link.member} inherits from itself through {link.role}; remove one of the links"
            problems.append(Problem(link.file, link.line, message))
    if problems:
        raise PolicyError(problems)


def _reachable(start: str, inherits: dict[str, list[str]]) -> set[str]:
    seen, pending = {start}, [start]
    while pending:
        for role in inherits.get(pending.pop(), ()):
            if role not in seen:
                seen.add(role)
                pending.append(role)
    return seen
