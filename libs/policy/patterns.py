"""The columns of a rule that are more than a word: where it holds, and what it grants."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import NamedTuple

from libs.core.resources import Resource
from libs.policy.vocabulary import Vocabulary

OWN = "$own"
KEYS = ("instance", "team", "region", "domain", "cloud", "environment")
"""What a resource can be told by, the most telling first."""

TELLING = frozenset(KEYS[:3])
"""The keys that tell few resources from many; the index goes by one of them where it can."""

_VALUE = re.compile(r"[A-Za-z0-9*._:@/+-]+", re.ASCII)


class PatternError(ValueError):
    """A column cannot be read; the message says why and what would be right."""


class Term(NamedTuple):
    """One `key=value` of a where column: literals, prefixes (`eu-*`) and other globs, or the caller's own teams."""

    key: str
    text: str
    literals: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    glob: re.Pattern[str] | None = None

    @property
    def own(self) -> bool:
        """Whether it stands for the teams of the caller."""
        return self.text == OWN

    def matches(self, value: str, teams: Collection[str]) -> bool:
        """Whether a resource's value fits; an empty team is nobody's own."""
        if value in self.literals or value.startswith(self.prefixes):
            return True
        if self.own:
            return bool(value) and value in teams
        return self.glob is not None and self.glob.fullmatch(value) is not None

    def contains(self, other: Term, teams: Collection[str]) -> bool:
        """Whether every value that fits `other` fits here; no where that cannot be told."""
        if self.text in (other.text, "*"):
            return True
        if other.prefixes or other.glob is not None:
            return False
        values = frozenset(teams) if other.own else other.literals
        return bool(values) and all(self.matches(value, teams) for value in values)


class Where(NamedTuple):
    """A resource pattern: all of its terms must match; without terms it is the whole fleet."""

    text: str
    terms: tuple[Term, ...]
    entries: tuple[tuple[str, int, str], ...]
    """What it is indexed by: the values of its most telling term, as (key, length of a prefix or 0, value)."""

    @property
    def own(self) -> bool:
        """Whether it is about the caller's own teams."""
        return any(term.own for term in self.terms)

    def matches(self, resource: Resource, teams: Collection[str]) -> bool:
        """Whether the resource lies in it, for a caller of these teams."""
        for term in self.terms:
            value = getattr(resource, term.key)
            if value not in term.literals and not term.matches(value, teams):
                break
        else:
            return True
        return False

    def contains(self, other: Where, teams: Collection[str]) -> bool:
        """Whether every resource that `other` matches for a caller of these teams is matched here too.

        Errs on the side of no: a glob is held to contain only what is written the same way, and literals.
        """
        others = {term.key: term for term in other.terms}
        return all(term.key in others and term.contains(others[term.key], teams) for term in self.terms)

    def could_match(self, region: str | None, teams: Collection[str]) -> bool:
        """Whether a resource (of that region) could lie in it, whatever the fleet holds."""
        for term in self.terms:
            if term.own and not teams:
                return False
            if term.key == "region" and region is not None and not term.matches(region, teams):
                return False
        return True


@lru_cache(maxsize=65_536)
def parse_where(text: str) -> Where:
    """Parse `*` or `key=value` pairs; a value may hold `*` and alternatives after `|`. Raises PatternError."""
    if text == "*":
        return Where(text, (), ())
    terms = tuple(_term(part) for part in text.split())
    keys = [term.key for term in terms]
    if not terms:
        raise PatternError("where is empty; write * for the whole fleet")
    if len(set(keys)) != len(keys):
        raise PatternError("a key stands twice in where; give alternatives as key=a|b")
    return Where(text, terms, _entries(terms))


def _entries(terms: tuple[Term, ...]) -> tuple[tuple[str, int, str], ...]:
    """Nothing where no term is made of literals and prefixes. A rule may be found twice where its prefixes overlap."""
    indexable = [term for term in terms if term.glob is None and not term.own and "" not in term.prefixes]
    if not indexable:
        return ()
    best = min(indexable, key=lambda term: (term.key not in TELLING, bool(term.prefixes), KEYS.index(term.key)))
    prefixes = [(best.key, len(prefix), prefix) for prefix in best.prefixes]
    return (*prefixes, *((best.key, 0, literal) for literal in best.literals))


@lru_cache(maxsize=65_536)
def _term(part: str) -> Term:
    key, equals, text = part.partition("=")
    if not equals or key not in KEYS:
        raise PatternError(f"'{part}' in where is not key=value with a key out of {', '.join(sorted(KEYS))}")
    if text == OWN and key == "team":
        return Term(key, text)
    values = text.split("|")
    if not all(_VALUE.fullmatch(value) for value in values):
        raise PatternError(f"'{part}' in where has a value that is empty or holds other than ASCII letters and digits")
    prefixes = tuple(value[:-1] for value in values if value.find("*") == len(value) - 1)
    globs = [value for value in values if "*" in value[:-1]]
    pattern = re.compile("|".join(translate(value) for value in globs)) if globs else None
    return Term(key, text, frozenset(value for value in values if "*" not in value), prefixes, pattern)


@dataclass(frozen=True, slots=True)
class What:
    """What a rule is about, spelled out: the permissions and RPCs that it allows or denies."""

    text: str
    allows: frozenset[str]
    denies: frozenset[str]


def parse_what(text: str, vocabulary: Vocabulary) -> What:
    """Parse a permission, `area.*`, `*`, or one RPC. Raises PatternError for what no contract knows."""
    if "/" in text:
        rpc = text.removeprefix("/")
        permission = vocabulary.permission_of.get(rpc)
        if permission is None:
            raise PatternError(f"'{text}' is not an RPC of this version; write package.Service/Method as in the protos")
        return What(text, frozenset((rpc,)), frozenset((rpc, permission)))
    permissions = {name for name in vocabulary.permissions if _permission_matches(text, name)}
    if not permissions:
        known = ", ".join(sorted(vocabulary.permissions))
        raise PatternError(f"'{text}' is not a permission of this version; there are {known}")
    rpcs = {rpc for rpc, permission in vocabulary.permission_of.items() if permission in permissions}
    acts = frozenset(permissions | rpcs)
    return What(text, acts, acts)


def _permission_matches(text: str, name: str) -> bool:
    if text == "*":
        return True
    if text.endswith(".*"):
        return name.startswith(text[:-1])
    return name == text
