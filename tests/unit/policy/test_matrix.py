"""Role x RPC x resource x class against an oracle that shares nothing with the engine."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.core.resources import Resource
from libs.policy.files import DEFAULTS, read_folder
from libs.policy.snapshot import PolicySnapshot, build_policy
from tests.unit.policy import oracle
from tests.unit.policy.people import FixedClock, Person, service, user

NOW = 1_800_000_000.0
"""15 January 2027, 08:00 UTC."""

TEAMS, REGIONS = ("payments", "search"), ("eu-west-1", "eu-west-10", "us-east-1")
RESOURCES = [
    Resource(region, domain, cloud, environment, team, instance)
    for (region, domain, cloud), environment, team, instance in itertools.product(
        (("eu-west-1", "gdpr", "aws"), ("eu-west-10", "gdpr", "gcp"), ("us-east-1", "us", "aws")),
        ("prod", "test"),
        (*TEAMS, ""),
        ("orders-1", "users"),
    )
]
PEOPLE = [
    user("vera", teams=("payments",), roles=("viewer",)),
    user("olaf", teams=("payments", "search"), roles=("on-call",)),
    user("dora", roles=("dba",)),
    user("both", teams=("search",), roles=("viewer", "on-call")),
    user("teamless", roles=("on-call", "viewer")),
    user("nobody", teams=("payments",)),
    user("empty", teams=("",), roles=("on-call",)),
    service("agent"),
    service("coordinator"),
    service("judge"),
]
CALLERS = [[person] for person in PEOPLE] + [[person, service("agent")] for person in PEOPLE] + [[]]


def policy_of(text: str) -> PolicySnapshot:
    return build_policy({"all.csv": text.encode()}, clock=FixedClock(NOW))


def assert_agrees(policy: PolicySnapshot, text: str, callers: list[Person], rpc: str, place: Resource) -> None:
    permission = oracle.PERMISSION_OF[rpc]
    for named in (rpc, ""):
        want = [cls for cls in oracle.LADDER if oracle.may(text, callers, permission, named, place, cls, NOW)]
        decision = policy.decide(callers, permission, place, rpc=f"/{named}" if named else "")
        assert decision.allowed == ("public" in want), (callers, rpc, place, decision)
        assert policy.clear_classes(callers, place, permission, rpc=named) == (
            {cls.upper() for cls in want} if "public" in want else set()
        )
        if decision.allowed:
            assert policy.permitted_anywhere(callers, permission, place.region, rpc=named)


def well_formed(person: Person) -> bool:
    return "" not in person.teams


def test_the_built_in_roles_agree_with_the_oracle_everywhere() -> None:
    text = "".join((DEFAULTS / name).read_text() for name in ("roles.csv", "services.csv"))
    policy = build_policy(read_folder(None), clock=FixedClock(NOW))
    for callers, rpc, place in itertools.product(CALLERS, oracle.PERMISSION_OF, RESOURCES):
        if all(map(well_formed, callers)):
            assert_agrees(policy, text, callers, rpc, place)
        else:
            assert not policy.decide(callers, oracle.PERMISSION_OF[rpc], place, rpc=rpc).allowed


WHO = ("*", "user:vera", "user:dora", "team:payments", "role:viewer", "role:on-call", "role:dba", "acting:agent")
WHERE = (
    "*",
    "team=$own",
    "region=eu-*",
    "region=eu-west-1",
    "region=*-1 team=payments",
    "region=eu-west-1*|us-* environment=prod",
    "team=$own domain=gdpr",
    "domain=gdpr cloud=aws|gcp",
    "instance=orders-1",
    "instance=o*s-1|users team=search",
    "environment=test",
)
WHAT = ("*", "fleet.read", "diagnostics.*", "diagnostics.read", "agent.ask", *oracle.PERMISSION_OF)
UNTIL = ("never", "2026-01-01", "2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z")
LINKS = (
    "g, user:nobody, role:viewer",
    "g, user:vera, role:dba, 2027-01-15T08:00:00Z",
    "g, user:vera, role:on-call, 2027-01-15T08:00:01Z",
    "g, team:search, role:viewer",
    "g, role:on-call, role:viewer",
    "g, role:dba, role:on-call",
    "g, acting:agent, role:viewer",
)
RULE = st.builds(
    "p, {}, {}, {}, {}, {}, {}".format,
    st.sampled_from(WHO),
    st.sampled_from(WHERE),
    st.sampled_from(WHAT),
    st.sampled_from(oracle.LADDER),
    st.sampled_from(UNTIL),
    st.sampled_from(("allow", "allow", "allow", "deny")),
)
DECLARED = "role, viewer\nrole, on-call\nrole, dba\n"


@settings(max_examples=80, deadline=None)
@given(rules=st.lists(RULE, min_size=1, max_size=60), links=st.lists(st.sampled_from(LINKS), unique=True))
def test_any_rules_agree_with_the_oracle(rules: list[str], links: list[str]) -> None:
    text = DECLARED + "\n".join([*links, *rules]) + "\n"
    policy = policy_of(text)
    chance = random.Random(len(text))
    for _ in range(20):
        callers = chance.choice([callers for callers in CALLERS if all(map(well_formed, callers))])
        assert_agrees(policy, text, callers, chance.choice(list(oracle.PERMISSION_OF)), chance.choice(RESOURCES))


TRICKS = (
    "*",
    "$own",
    "eu-*",
    "..",
    "",
    "eu-west-1|us-east-1",
    "\u0435u-west-1",
    "eu-west-1\n",
    "EU-WEST-1",
    "team=payments",
)
"""Values that mean something in a rule, or look like another; one begins with a Cyrillic letter."""


def test_tricks_in_a_resource_are_only_ever_text() -> None:
    text = DECLARED + "p, role:viewer, region=eu-west-1 team=$own, fleet.read, schema, never, allow\n"
    policy = policy_of(text)
    vera = user("vera", teams=("payments",), roles=("viewer",))
    good = Resource("eu-west-1", "gdpr", "aws", "prod", "payments", "orders-1")
    assert policy.decide([vera], "fleet.read", good).allowed
    for trick in TRICKS:
        for key in ("region", "team"):
            changed = Resource(**{name: getattr(good, name) for name in good.__dataclass_fields__} | {key: trick})
            assert not policy.decide([vera], "fleet.read", changed).allowed, (key, trick)


def test_tricks_in_a_caller_are_only_ever_text() -> None:
    policy = build_policy(read_folder(None), clock=FixedClock(NOW))
    good = Resource("eu-west-1", "gdpr", "aws", "prod", "payments", "orders-1")
    for trick in TRICKS:
        assert not policy.decide([user("eve", teams=(trick,), roles=("on-call",))], "fleet.read", good).allowed
        assert not policy.decide([user("eve", teams=("payments",), roles=(trick,))], "fleet.read", good).allowed
        assert not policy.decide([user(trick, teams=("payments",))], "fleet.read", good).allowed
