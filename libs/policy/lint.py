"""Rules that do nothing, contradict each other, or give more than anybody is likely to have meant.

What lint finds does not keep a policy from loading. A finding that is meant is accepted in a comment above the rule:
`# accepted(over-broad): the reason`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from libs.core.clock import Clock, SystemClock
from libs.policy.decision import CLASSES
from libs.policy.files import PolicyText, Problem, Rule, parse_files, read_folder, regions_of
from libs.policy.patterns import Where
from libs.policy.roles import ACTING, EVERYBODY
from libs.policy.vocabulary import storex_vocabulary

EXPIRED = "expired"
UNREACHABLE = "unreachable"
DUPLICATE = "duplicate"
SHADOWED = "shadowed"
CONFLICT = "conflict"
OVER_BROAD = "over-broad"
CODES = {
    EXPIRED: "a rule or role link whose end has passed",
    UNREACHABLE: "a rule that no caller can meet, or a role without rules",
    DUPLICATE: "a rule that stands twice",
    SHADOWED: "a rule that changes nothing because another covers it",
    CONFLICT: "an allow that a deny of another file takes away whole",
    OVER_BROAD: "an allow for everybody, or one over the whole fleet",
}
"""What each code means."""


def lint_folder(folder: Path | None, *, clock: Clock | None = None) -> list[Problem]:
    """All findings in the built-in files, the folder's, and those of every region in it. Raises PolicyError."""
    found: dict[Problem, None] = {}
    for region in (None, *regions_of(folder)):
        text = parse_files(read_folder(folder, region), storex_vocabulary())
        found.update(dict.fromkeys(lint(text, (clock or SystemClock()).now())))
    return sorted(found, key=lambda problem: (problem.file, problem.line, problem.code))


def lint(text: PolicyText, now: float) -> Iterator[Problem]:
    """The findings in one policy at a moment (seconds since the epoch), but those that a comment accepts."""
    live = [rule for rule in text.rules if now < rule.until]
    for rule in text.rules:
        if now >= rule.until:
            yield _problem(rule, EXPIRED, "it has ended; remove it")
    for link in text.links:
        if now >= link.until:
            yield Problem(link.file, link.line, "this role link has ended; remove it", EXPIRED)
    yield from _unused_roles(text)
    for problem in (*_each(live), *_covered(live)):
        if problem.code not in text.accepted.get(f"{problem.file}:{problem.line}", ()):
            yield problem


def _problem(rule: Rule, code: str, message: str) -> Problem:
    return Problem(rule.file, rule.line, message, code)


def _unused_roles(text: PolicyText) -> Iterator[Problem]:
    used = {rule.sub for rule in text.rules} | {link.member for link in text.links}
    for name, (place, _) in text.roles.items():
        if f"role:{name}" not in used:
            file, _, line = place.rpartition(":")
            yield Problem(file, int(line), f"the role {name} gives nothing; add rules or remove it", UNREACHABLE)


def _each(rules: Iterable[Rule]) -> Iterator[Problem]:
    for rule in rules:
        if rule.where.own and rule.sub.partition(":")[0] in ("service", ACTING):
            yield _problem(rule, UNREACHABLE, "a service is in no team, so team=$own never matches; name the team")
        if rule.eft == "allow" and rule.sub == EVERYBODY:
            yield _problem(rule, OVER_BROAD, "it allows everybody with a valid token; name a role or a team")
        elif rule.eft == "allow" and _whole_fleet(rule.where):
            yield _problem(rule, OVER_BROAD, "it covers the whole fleet; name a team, region or domain")


def _whole_fleet(where: Where) -> bool:
    return all("" in term.prefixes for term in where.terms)


def _covered(rules: list[Rule]) -> Iterator[Problem]:
    by_subject: dict[str, list[Rule]] = {}
    for rule in rules:
        by_subject.setdefault(rule.sub, []).append(rule)
    finders = {subject: _WiderRules(found) for subject, found in by_subject.items()}
    for rule in rules:
        everybody = finders.get(EVERYBODY) if rule.sub != EVERYBODY else None
        finding = _finding(rule, [finder for finder in (finders[rule.sub], everybody) if finder])
        if finding:
            yield finding


def _finding(rule: Rule, finders: list[_WiderRules]) -> Problem | None:
    for finder in finders:
        for other in finder.maybe_wider(rule.where):
            if other.ordinal == rule.ordinal or not _covers(other, rule):
                continue
            if other.eft != rule.eft:
                code = CONFLICT if other.file != rule.file else SHADOWED
                return _problem(rule, code, f"{other.id} denies all that it allows; a deny wins; keep one of the two")
            if not _covers(rule, other):
                return _problem(rule, SHADOWED, f"{other.id} covers it; remove it")
            if other.ordinal < rule.ordinal:
                return _problem(rule, DUPLICATE, f"{other.id} says the same; remove it")
    return None


def _covers(wide: Rule, narrow: Rule) -> bool:
    """Whether wherever `narrow` speaks, `wide` does: with the same effect, or as a deny over an allow."""
    if wide.eft == "allow" and narrow.eft == "deny":
        return False
    if wide.eft != narrow.eft:
        classes = wide.cls == CLASSES[0]
    elif wide.eft == "allow":
        classes = CLASSES.index(wide.cls) >= CLASSES.index(narrow.cls)
    else:
        classes = CLASSES.index(wide.cls) <= CLASSES.index(narrow.cls)
    acts = wide.what.allows >= narrow.what.allows
    return classes and acts and wide.until >= narrow.until and wide.where.contains(narrow.where, ())


class _WiderRules:
    """One subject's rules, found by what a pattern that they contain must have in it."""

    _AS_WRITTEN = -1

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._anywhere: list[Rule] = []
        self._filed: dict[tuple[str, int], dict[str, list[Rule]]] = {}
        for rule in rules:
            entries = list(rule.where.entries)
            for key in {entry[0] for entry in entries}:
                text = next(term.text for term in rule.where.terms if term.key == key)
                entries = [*entries, (key, self._AS_WRITTEN, text)]
            for key, length, value in entries:
                self._filed.setdefault((key, length), {}).setdefault(value, []).append(rule)
            if not entries:
                self._anywhere.append(rule)

    def maybe_wider(self, where: Where) -> Iterator[Rule]:
        """The rules whose pattern may contain this one; all that do are among them."""
        yield from self._anywhere
        terms = {term.key: term for term in where.terms}
        for (key, length), buckets in self._filed.items():
            term = terms.get(key)
            if term is None:
                continue
            if length == self._AS_WRITTEN:
                yield from buckets.get(term.text, ())
            elif term.literals:
                sample = min(term.literals)
                yield from buckets.get(sample[:length] if length else sample, ())
