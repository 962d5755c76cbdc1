"""What each role sees of principals, by regulatory domain: the region's own rules, which can only narrow policy.

The file, named by `egress:` in `storex.yaml`:

    domains:
      gdpr:
        roles: {dba: clear, on-call: token}
        others: drop
      "*":
        roles: {dba: clear, on-call: clear}

`clear` leaves a principal as it is, `token` puts its token in its place, `drop` takes it out. `others` (default
`token`) holds for roles that are not named, `"*"` for domains that are not. Domains without a rule get the built-in
one: `dba` and `on-call` in clear, everybody else tokens. CUSTOMER is dropped whatever a file says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from libs.config.document import Document, Fields
from libs.config.errors import ConfigError
from libs.core.clock import Clock
from libs.core.watched import WatchedFile
from libs.identity.principal import Caller

ANY_DOMAIN = "*"


class Treatment(IntEnum):
    """What becomes of a principal; a higher number shows more."""

    DROP = 0
    TOKEN = 1
    CLEAR = 2


@dataclass(frozen=True, slots=True)
class DomainRule:
    """The treatments of one domain."""

    roles: Mapping[str, Treatment]
    others: Treatment = Treatment.TOKEN


BUILT_IN = DomainRule({"dba": Treatment.CLEAR, "on-call": Treatment.CLEAR})


@dataclass(frozen=True, slots=True)
class EgressRules:
    """The rules of every domain."""

    domains: Mapping[str, DomainRule] = field(default_factory=dict)

    def treatment(self, domain: str, caller: Caller) -> Treatment:
        """What the caller gets: the best of the user's roles, narrowed by the acting service where a rule names it."""
        rule = self.domains.get(domain) or self.domains.get(ANY_DOMAIN, BUILT_IN)
        best = max((rule.roles.get(role, rule.others) for role in caller.user.roles), default=rule.others)
        acting = () if caller.actor is None else caller.actor.roles
        return min([best, *(rule.roles[role] for role in acting if role in rule.roles)])


class BuiltInRules:
    """The rules of a region without a file, in the place of a watched one."""

    version = "built-in"
    problem = ""

    def __init__(self) -> None:
        self._rules = EgressRules()

    def __call__(self) -> EgressRules:
        """The rules."""
        return self._rules


def watch_rules(
    path: Path | None,
    *,
    domains: Collection[str],
    roles: Callable[[], Collection[str]] | None = None,
    clock: Clock | None = None,
) -> WatchedFile[EgressRules] | BuiltInRules:
    """The rules in the file at `path`, read again when it changes; the built-in ones without a file.

    `roles` tells those that policy knows at the moment. A change that cannot be used leaves the rules before it in
    force and is logged. Raises ConfigError for a file that cannot be used to begin with: see `load_rules`.
    """
    if path is None:
        return BuiltInRules()

    def load(file: Path) -> EgressRules:
        return load_rules(file, domains=domains, roles=roles() if roles else None)

    return WatchedFile(path, load, (ConfigError,), clock)


def load_rules(path: Path, *, domains: Collection[str], roles: Collection[str] | None = None) -> EgressRules:
    """Read the rules; `domains` are those of the configured regions, `roles` those that policy knows, if they are told.

    Raises ConfigError with every problem: unknown keys, domains, roles or treatments, duplicates, and bad YAML.
    """
    document = Document(path, first_key="domains")
    root = document.root()
    rules = {}
    for name, entry in root.entries("domains", required=True):
        if name != ANY_DOMAIN and name not in domains:
            known = ", ".join(sorted(domains))
            document.report(entry.node, f"no region is in the domain {name!r}", f'Use one of {known}, or "*"')
        rules[name] = _domain_rule(entry, roles)
    root.finish()
    document.finish()
    return EgressRules(rules)


def _domain_rule(entry: Fields, roles: Collection[str] | None) -> DomainRule:
    treatments: dict[str, Treatment] = {}
    for role, word in entry.strings("roles").items():
        if roles is not None and role not in roles:
            entry.report("roles", f"names the role {role!r}, which no policy file knows", "Correct or declare it")
        treatments[role] = _treatment(entry, "roles", word)
    others = entry.text("others")
    entry.finish()
    return DomainRule(treatments, Treatment.TOKEN if others is None else _treatment(entry, "others", others))


def _treatment(entry: Fields, key: str, word: str) -> Treatment:
    named = {treatment.name.lower(): treatment for treatment in Treatment}
    if word not in named:
        entry.report(key, f"holds {word!r}, which is no treatment", "Use clear, token or drop")
    return named.get(word, Treatment.DROP)
