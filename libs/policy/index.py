"""Rules by the subject and by the most telling literal of their resource pattern, so that a decision reads few."""

from __future__ import annotations

from collections.abc import Iterable

from libs.core.resources import Resource
from libs.policy.files import Rule, yielding
from libs.policy.roles import Holder

_FEW = 3
"""Up to so many rules of a subject are read one by one: an index over them would cost more than it saves."""


class RuleIndex:
    """The rules of a policy. Immutable once built."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        by_subject: dict[str, list[Rule]] = {}
        for rule in yielding(rules):
            by_subject.setdefault(rule.sub, []).append(rule)
        shapes = _Shapes()
        self._by_subject = {subject: _SubjectRules(found, shapes) for subject, found in yielding(by_subject.items())}
        self._shapes = tuple(shapes)

    def candidates(self, holder: Holder, resource: Resource, act: str) -> list[Rule]:
        """Every rule of the holder that may match the resource and the permission or RPC, and few that do not."""
        values: list[str] = [
            getattr(resource, key)[:length] if length else getattr(resource, key) for key, length in self._shapes
        ]
        own = resource.team in holder.teams
        found: list[Rule] = []
        for subject in holder.subjects:
            rules = self._by_subject.get(subject)
            if rules is not None:
                rules.collect(values, own, found)
        # What a rule denies is never less than what it would allow, so this keeps whatever the matcher could want.
        return [rule for rule in found if act in rule.what.denies]

    def of_holder(self, holder: Holder) -> Iterable[Rule]:
        """Every rule of the holder, wherever it holds."""
        for subject in holder.subjects:
            rules = self._by_subject.get(subject)
            if rules is not None:
                yield from rules.everything


class _Shapes(dict[tuple[str, int], int]):
    """The (key, length of a prefix or 0) that rules are filed under, numbered as they are met."""

    def __missing__(self, shape: tuple[str, int]) -> int:
        number = self[shape] = len(self)
        return number


class _SubjectRules:
    __slots__ = ("_anywhere", "_filed", "_own", "everything")

    def __init__(self, rules: list[Rule], shapes: _Shapes) -> None:
        self.everything = tuple(rules)
        self._anywhere = self.everything
        self._own: tuple[Rule, ...] = ()
        self._filed: tuple[tuple[int, dict[str, list[Rule]]], ...] = ()
        if len(rules) > _FEW:
            filed: dict[int, dict[str, list[Rule]]] = {}
            rest = [rule for rule in rules if not _file(rule, filed, shapes)]
            self._own = tuple(rule for rule in rest if rule.where.own)
            self._anywhere = tuple(rule for rule in rest if not rule.where.own)
            self._filed = tuple(filed.items())

    def collect(self, values: list[str], own: bool, found: list[Rule]) -> None:
        found += self._anywhere
        if own:
            found += self._own
        for shape, buckets in self._filed:
            value = values[shape]
            if value in buckets:
                found += buckets[value]


def _file(rule: Rule, filed: dict[int, dict[str, list[Rule]]], shapes: _Shapes) -> bool:
    for key, length, value in rule.where.entries:
        filed.setdefault(shapes[key, length], {}).setdefault(value, []).append(rule)
    return bool(rule.where.entries)
