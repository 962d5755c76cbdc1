"""Why a decision is what it is: the rules that matched, and the nearest ones that did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from libs.core.resources import Resource
from libs.policy.decision import CLASSES, Decision, PrincipalLike
from libs.policy.files import Rule
from libs.policy.index import RuleIndex
from libs.policy.model import Matcher, clears, permits
from libs.policy.roles import Holder

MOST_NEAR = 5
"""How many rules that did not match are shown for a principal."""


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule that was looked at: its place, its text, its effect, and why it did not match (empty if it did)."""

    id: str
    text: str
    effect: str
    mismatch: str = ""


@dataclass(frozen=True, slots=True)
class PrincipalTrace:
    """What one principal of the call brings: who it is to the rules, and the rules that it met."""

    subject: str
    holds: tuple[str, ...]
    matched: tuple[RuleTrace, ...]
    near: tuple[RuleTrace, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and its reasons, principal by principal."""

    decision: Decision
    act: str
    resource: str
    clear_classes: frozenset[str]
    principals: tuple[PrincipalTrace, ...]


def explain(
    decision: Decision,
    clear: frozenset[str],
    principals: Sequence[PrincipalLike],
    holders: Sequence[Holder | None],
    index: RuleIndex,
    match: Matcher,
    act: str,
    resource: Resource,
    now: float,
) -> Explanation:
    """Explain a decision that was made; reads only the rules of the principals."""
    traces = []
    for principal, holder in zip(principals, holders, strict=True):
        if holder is None:
            traces.append(PrincipalTrace(principal.subject, (), (), ()))
            continue
        candidates = {rule.ordinal: rule for rule in index.candidates(holder, resource, act)}
        matched = [
            _trace(rule)
            for _, rule in sorted(candidates.items())
            if match(holder, holder.teams, resource, act, CLASSES[0], now, rule)
        ]
        near = tuple(_near(index, holder, act, resource, now))
        traces.append(PrincipalTrace(principal.subject, tuple(sorted(holder.subjects)), tuple(matched), near))
    return Explanation(decision, act, str(resource.name), clear, tuple(traces))


def _near(index: RuleIndex, holder: Holder, act: str, resource: Resource, now: float) -> Iterator[RuleTrace]:
    found = 0
    for rule in sorted(index.of_holder(holder), key=lambda rule: rule.ordinal):
        mismatch = _mismatch(rule, holder, resource, now)
        if mismatch and permits(rule.what, rule.eft, act):
            yield _trace(rule, mismatch)
            found += 1
            if found == MOST_NEAR:
                return


def _mismatch(rule: Rule, holder: Holder, resource: Resource, now: float) -> str:
    if now >= rule.until:
        return "it has ended"
    if not clears(rule.cls, rule.eft, CLASSES[0]):
        return f"it denies only data from class {rule.cls} on, not the call"
    for term in rule.where.terms:
        value = getattr(resource, term.key)
        if not term.matches(value, holder.teams):
            wanted = ", ".join(sorted(holder.teams)) or "none" if term.own else term.text
            return f"the resource's {term.key} is {value}, the rule wants {wanted}"
    return ""


def _trace(rule: Rule, mismatch: str = "") -> RuleTrace:
    text = f"{rule.sub} {rule.eft} {rule.what.text} on {rule.where.text} class {rule.cls}"
    return RuleTrace(rule.id, text, rule.eft, mismatch)
