"""A policy of the size that the engine is built for: 100,000 rules and 10,000 users over 400 regions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from libs.core.resources import Resource

RULES, USERS, TEAMS, REGIONS, ROLES = 100_000, 10_000, 500, 400, 200
DOMAINS = ("gdpr", "us-hipaa", "us-sox", "uk", "pipl", "lgpd", "dpdp", "appi")
CLOUDS = ("aws", "gcp", "azure")
ENVIRONMENTS = ("prod", "staging", "test")
PERMISSIONS = ("fleet.read", "diagnostics.read", "agent.ask")


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal as a verified token describes it."""

    subject: str
    kind: str
    teams: frozenset[str]
    roles: frozenset[str]


AGENT = Caller("service:agent", "service", frozenset(), frozenset({"agent"}))


def a_user(number: int, chance: random.Random) -> Caller:
    """User `number`, in two teams, with one or two roles."""
    teams = frozenset(f"team-{chance.randrange(TEAMS)}" for _ in range(2))
    roles = frozenset(f"role-{chance.randrange(ROLES)}" for _ in range(2)) | {chance.choice(("viewer", "on-call"))}
    return Caller(f"user:u{number}", "user", teams, roles)


def a_resource(chance: random.Random) -> Resource:
    """Some instance of the fleet."""
    region = chance.randrange(REGIONS)
    return Resource(
        f"region-{region}",
        DOMAINS[region % len(DOMAINS)],
        CLOUDS[region % len(CLOUDS)],
        ENVIRONMENTS[region % len(ENVIRONMENTS)],
        f"team-{chance.randrange(TEAMS)}",
        f"db-{chance.randrange(20_000)}",
    )


def rule_file(seed: int, rules: int = RULES) -> bytes:
    """Rules of every shape: half for users, the rest for roles, teams and everybody; one in ten denies."""
    chance = random.Random(seed)
    lines = [f"role, role-{number}, made for measuring" for number in range(ROLES)]
    lines += [f"g, user:u{number}, role:role-{chance.randrange(ROLES)}" for number in range(USERS)]
    lines += [_rule(number, chance) for number in range(rules)]
    return ("\n".join(lines) + "\n").encode()


def _rule(number: int, chance: random.Random) -> str:
    deny = chance.random() < 0.1
    shape = chance.random()
    if shape < 0.5:
        who = f"user:u{number % USERS}"
    elif shape < 0.8:
        who = f"role:role-{chance.randrange(ROLES)}"
    else:
        who = f"team:team-{chance.randrange(TEAMS)}"
    if deny and chance.random() < 0.02:
        who = "*"
    what = chance.choice((*PERMISSIONS, "diagnostics.*", "*"))
    until = chance.choice(("never", "never", "never", "2036-01-01"))
    effect, cls = ("deny", "principal") if deny else ("allow", chance.choice(("schema", "principal")))
    return f"p, {who}, {_where(chance)}, {what}, {cls}, {until}, {effect}"


def _where(chance: random.Random) -> str:
    shapes: Sequence[str] = (
        f"instance=db-{chance.randrange(20_000)}",
        f"region=region-{chance.randrange(REGIONS)} team=team-{chance.randrange(TEAMS)}",
        f"region=region-{chance.randrange(REGIONS)}",
        f"team=team-{chance.randrange(TEAMS)} environment={chance.choice(ENVIRONMENTS)}",
        f"domain={chance.choice(DOMAINS)} cloud={chance.choice(CLOUDS)} team=team-{chance.randrange(TEAMS)}",
        f"region=region-{chance.randrange(40)}* environment=prod",
        "team=$own",
    )
    return chance.choice(shapes)
