"""One version of the policy: immutable, and the thing that decides."""

from __future__ import annotations

import gc
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from libs.core.clock import Clock, SystemClock
from libs.core.resources import Resource
from libs.policy.cache import GenerationCache
from libs.policy.decision import CLASSES, NO_RULE, Decision, PrincipalLike
from libs.policy.explain import Explanation, explain
from libs.policy.files import MODEL_FILE, PolicyText, Rule, digest_of, parse_files, read_folder
from libs.policy.index import RuleIndex
from libs.policy.model import ALLOW, DENY, check_model_file, compile_matcher, load_effector, load_model
from libs.policy.roles import Holder, RoleLinks, check_acyclic, well_formed
from libs.policy.vocabulary import Vocabulary, storex_vocabulary

CACHED_DECISIONS = 32_768
"""How many decisions one generation of the cache holds; with both, some tens of megabytes at the most."""

CACHED_PRINCIPALS = 4_096
"""The same for what principals are to the rules, and for what they may somewhere."""

LARGE_BYTES = 512 * 1024
"""From this size on, a policy is kept from the garbage collector."""

MALFORMED = "the principal's names are not well formed"
NOBODY = "no principal"
_CALL = CLASSES[0]


class PolicySnapshot:
    """Decides by the rules of one version. See PolicyEngine for what each method promises."""

    def __init__(self, text: PolicyText, version: str, vocabulary: Vocabulary, clock: Clock) -> None:
        model = load_model()
        self.text = text
        self.vocabulary = vocabulary
        self.clock = clock
        self._version = version
        self._match = compile_matcher(model)
        self._effector = load_effector(model)
        self._links = RoleLinks(text.links)
        self._index = RuleIndex(text.rules)
        self._known: GenerationCache[Hashable, Holder] = GenerationCache(CACHED_PRINCIPALS)
        self._anywhere: GenerationCache[Hashable, tuple[bool, float]] = GenerationCache(CACHED_PRINCIPALS)
        self._decisions: GenerationCache[Hashable, Decision] = GenerationCache(CACHED_DECISIONS)
        self._classes: GenerationCache[Hashable, tuple[frozenset[str], float]] = GenerationCache(CACHED_DECISIONS)

    @property
    def version(self) -> str:
        """The version of the policy in force."""
        return self._version

    def decide(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Decision:
        """Whether all of them may use the permission on the resource."""
        key = (permission, rpc, resource, *[(p.subject, p.kind, p.teams, p.roles) for p in principals])
        cached = self._decisions.get(key)
        if cached is not None and self.clock.now() < cached.until:
            return cached
        decision = self._decide_all(principals, self.vocabulary.act(permission, rpc), resource, _CALL)
        self._decisions.put(key, decision)
        return decision

    def permitted_anywhere(
        self, principals: Sequence[PrincipalLike], permission: str, region: str | None = None, *, rpc: str = ""
    ) -> bool:
        """Whether each of them could hold the permission on some resource (of that region)."""
        key = (permission, rpc, region, *[(p.subject, p.kind, p.teams, p.roles) for p in principals])
        now = self.clock.now()
        cached = self._anywhere.get(key)
        if cached is not None and now < cached[1]:
            return cached[0]
        act, until = self.vocabulary.act(permission, rpc), float("inf")
        held = bool(principals)
        for holder in self._holders(principals, now):
            found, ends = self._holds_anywhere(holder, act, region, now) if holder else (False, until)
            held, until = held and found, min(until, ends)
        self._anywhere.put(key, (held, until))
        return held

    def permitted_global(self, principals: Sequence[PrincipalLike], permission: str, *, rpc: str = "") -> bool:
        """Whether each of them may use a method that names no resource; its answer is filtered by `decide`."""
        return self.permitted_anywhere(principals, permission, rpc=rpc)

    def clear_classes(
        self, principals: Sequence[PrincipalLike], resource: Resource, permission: str | None = None, *, rpc: str = ""
    ) -> frozenset[str]:
        """The classes (`PUBLIC`, `SCHEMA`, `PRINCIPAL`) that all of them see in clear on the resource."""
        key = (permission, rpc, resource, *[(p.subject, p.kind, p.teams, p.roles) for p in principals])
        cached = self._classes.get(key)
        if cached is not None and self.clock.now() < cached[1]:
            return cached[0]
        until = float("inf")
        clear: set[str] | None = None
        for asked in (permission,) if permission else sorted(self.vocabulary.permissions):
            decided = self._classes_of(principals, self.vocabulary.act(asked, rpc), resource)
            until = min(until, *(decision.until for decision in decided.values()))
            if decided[_CALL].allowed:
                seen = {name.upper() for name, decision in decided.items() if decision.allowed}
                clear = seen if clear is None else clear & seen
        answer = frozenset(clear or ())
        self._classes.put(key, (answer, until))
        return answer

    def explain(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Explanation:
        """The decision with every rule that took part, and the nearest ones that did not."""
        act, now = self.vocabulary.act(permission, rpc), self.clock.now()
        decision = self._decide_all(principals, act, resource, _CALL)
        holders = self._holders(principals, now)
        clear = self.clear_classes(principals, resource, permission, rpc=rpc)
        return explain(decision, clear, principals, holders, self._index, self._match, act, resource, now)

    def _holders(self, principals: Sequence[PrincipalLike], now: float) -> list[Holder | None]:
        """Who they are to the rules, None for one whose names are not well formed; all but the first act for it."""
        return [self._holder(principal, now, acting=position > 0) for position, principal in enumerate(principals)]

    def _holder(self, principal: PrincipalLike, now: float, acting: bool) -> Holder | None:
        key = (principal.subject, principal.kind, principal.teams, principal.roles, acting)
        known = self._known.get(key)
        if known is not None and now < known.until:
            return known
        if not well_formed(principal, acting=acting):
            return None
        holder = self._links.holder(principal, now, acting=acting)
        self._known.put(key, holder)
        return holder

    def _classes_of(self, principals: Sequence[PrincipalLike], act: str, resource: Resource) -> dict[str, Decision]:
        return {name: self._decide_all(principals, act, resource, name) for name in CLASSES}

    def _decide_all(self, principals: Sequence[PrincipalLike], act: str, resource: Resource, cls: str) -> Decision:
        if not principals:
            return Decision(False, NOBODY, self._version)
        now, rules, until = self.clock.now(), [], float("inf")
        for holder in self._holders(principals, now):
            if holder is None:
                return Decision(False, MALFORMED, self._version)
            allowed, rule, ends = self._decide_one(holder, act, resource, cls, now)
            until = min(until, ends)
            if not allowed:
                return Decision(False, rule, self._version, until)
            rules.append(rule)
        return Decision(True, " + ".join(rules), self._version, until)

    def _decide_one(
        self, holder: Holder, act: str, resource: Resource, cls: str, now: float
    ) -> tuple[bool, str, float]:
        effects: set[int] = set()
        deciding: dict[str, Rule] = {}
        until = holder.until
        for rule in self._index.candidates(holder, resource, act):
            if now < rule.until < until:
                until = rule.until
            if self._match(holder, holder.teams, resource, act, cls, now, rule):
                effects.add(ALLOW if rule.eft == "allow" else DENY)
                first = deciding.get(rule.eft)
                if first is None or rule.ordinal < first.ordinal:
                    deciding[rule.eft] = rule
        allowed = self._effector.final_effect(effects) == ALLOW
        rule_of = deciding.get("allow" if allowed else "deny")
        return allowed, rule_of.id if rule_of else NO_RULE, until

    def _holds_anywhere(self, holder: Holder, act: str, region: str | None, now: float) -> tuple[bool, float]:
        """Whether an allow is left that no deny takes away whole, and until when that is so for certain."""
        speaking = [rule for rule in self._index.of_holder(holder) if now < rule.until and act in rule.what.denies]
        until = min([holder.until, *(rule.until for rule in speaking)])
        denies = [rule for rule in speaking if rule.eft == "deny" and rule.cls == _CALL]
        for rule in speaking:
            if rule.eft == "deny" or act not in rule.what.allows or not rule.where.could_match(region, holder.teams):
                continue
            if not any(deny.where.contains(rule.where, holder.teams) for deny in denies):
                return True, until
        return False, until


def load_policy(
    folder: Path | None = None,
    *,
    region: str | None = None,
    clock: Clock | None = None,
    vocabulary: Vocabulary | None = None,
) -> PolicySnapshot:
    """Load the built-in policy, over it the files of `folder`, and for a shard what its region denies besides.

    Raises PolicyError, with every problem found, and loads nothing if any file is not right.
    """
    return build_policy(read_folder(folder, region), clock=clock, vocabulary=vocabulary)


def build_policy(
    contents: Mapping[str, bytes], *, clock: Clock | None = None, vocabulary: Vocabulary | None = None
) -> PolicySnapshot:
    """The policy that files of these contents make. Raises PolicyError."""
    vocabulary = vocabulary or storex_vocabulary()
    if MODEL_FILE in contents:
        check_model_file(contents[MODEL_FILE])
    large = sum(map(len, contents.values())) > LARGE_BYTES
    with _collector_at_rest() if large else nullcontext():
        text = parse_files(contents, vocabulary)
        check_acyclic(text.links)
        return PolicySnapshot(text, digest_of(contents), vocabulary, clock or SystemClock())


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from walking a policy: at 100,000 rules each walk holds every call up for 0.3 s.

    A policy has no cycles and goes when its last user lets go of it, so the collector is then told to leave it alone.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
