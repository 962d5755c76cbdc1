"""Rules by the subject and by the most telling literal of their resource pattern, so that a decision reads few."""

from __future__ import annotations

from collections.abc import Iterable

from libs.core.resources import Resource
from libs.policy.files import Rule
from libs.policy.patterns import KEYS, Where
from libs.policy.roles import Holder

_FEW = 16
"""Up to so many rules of a subject are read one by one: an index over them would cost more than it saves."""


class RuleIndex:
    """The rules of a policy. Immutable once built."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        by_subject: dict[str, list[Rule]] = {}
        for rule in rules:
            by_subject.setdefault(rule.sub, []).append(rule)
        self._by_subject = {subject: _SubjectRules(found) for subject, found in by_subject.items()}

    def candidates(self, holder: Holder, resource: Resource) -> list[Rule]:
        """Every rule of the holder that may match the resource, and few that do not."""
        found: list[Rule] = []
        for subject in holder.subjects:
            rules = self._by_subject.get(subject)
            if rules is not None:
                rules.collect(resource, found)
        return found

    def of_holder(self, holder: Holder) -> Iterable[Rule]:
        """Every rule of the holder, wherever it holds."""
        for subject in holder.subjects:
            rules = self._by_subject.get(subject)
            if rules is not None:
                yield from rules.everything


class _SubjectRules:
    __slots__ = ("_anywhere", "_keyed", "everything")

    def __init__(self, rules: list[Rule]) -> None:
        self.everything = tuple(rules)
        self._anywhere: tuple[Rule, ...] = self.everything
        self._keyed: dict[str, dict[str, list[Rule]]] = {}
        if len(rules) > _FEW:
            self._anywhere = tuple(rule for rule in rules if not self._file_under_literal(rule))

    def _file_under_literal(self, rule: Rule) -> bool:
        key, literals = index_key(rule.where)
        for literal in literals:
            self._keyed.setdefault(key, {}).setdefault(literal, []).append(rule)
        return bool(literals)

    def collect(self, resource: Resource, found: list[Rule]) -> None:
        found.extend(self._anywhere)
        for key, buckets in self._keyed.items():
            rules = buckets.get(getattr(resource, key))
            if rules is not None:
                found.extend(rules)


def index_key(where: Where) -> tuple[str, frozenset[str]]:
    """The most telling term that holds literals only, or nothing to index by."""
    terms = {term.key: term for term in where.terms}
    for key in KEYS:
        term = terms.get(key)
        if term is not None and term.literals and term.glob is None:
            return key, term.literals
    return "", frozenset()
