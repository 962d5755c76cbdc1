"""What a snapshot remembers, when it stops believing it, and how it explains itself."""

from __future__ import annotations

import pytest

from libs.policy.cache import GenerationCache
from libs.policy.decision import NO_RULE
from libs.policy.files import read_folder
from libs.policy.patterns import parse_where
from libs.policy.snapshot import CACHED_DECISIONS, PolicySnapshot, build_policy
from tests.unit.policy.people import ORDERS, FixedClock, Person, resource, service, user

OLAF = user("olaf", teams=("payments",), roles=("on-call",))
LOCKS = "storex.diagnostics.v1.DiagnosticsService/GetLockWaits"


def policy_with(rules: str, clock: FixedClock | None = None) -> PolicySnapshot:
    return build_policy({**read_folder(None), "more.csv": rules.encode()}, clock=clock or FixedClock())


def test_a_grant_ends_when_it_says_although_its_decision_was_remembered() -> None:
    clock = FixedClock(1_800_000_000.0)
    policy = policy_with("p, user:eve, *, fleet.read, principal, 2027-01-15T08:00:10Z, allow\n", clock)
    decision = policy.decide([user("eve")], "fleet.read", ORDERS)
    assert decision.allowed
    assert decision.until == 1_800_000_010.0
    assert policy.clear_classes([user("eve")], ORDERS, "fleet.read") == {"PUBLIC", "SCHEMA", "PRINCIPAL"}
    clock.seconds = 1_800_000_009.9
    assert policy.decide([user("eve")], "fleet.read", ORDERS).allowed
    clock.seconds = 1_800_000_010.0
    assert not policy.decide([user("eve")], "fleet.read", ORDERS).allowed
    assert not policy.permitted_anywhere([user("eve")], "fleet.read")
    assert policy.clear_classes([user("eve")], ORDERS, "fleet.read") == frozenset()


def test_a_role_that_was_lent_is_given_back() -> None:
    clock = FixedClock(1_800_000_000.0)
    policy = policy_with("g, user:eve, role:dba, 2027-01-15T08:00:10Z\n", clock)
    assert policy.decide([user("eve")], "fleet.read", ORDERS).until == 1_800_000_010.0
    clock.seconds += 10
    assert not policy.decide([user("eve")], "fleet.read", ORDERS).allowed


def test_a_deny_that_ends_is_over_when_it_says() -> None:
    clock = FixedClock(1_800_000_000.0)
    policy = policy_with("p, user:olaf, *, *, public, 2027-01-15T08:00:10Z, deny\n", clock)
    assert policy.decide([OLAF], "fleet.read", ORDERS).rule == "more.csv:1"
    clock.seconds += 10
    assert policy.decide([OLAF], "fleet.read", ORDERS).allowed


def test_what_is_remembered_is_kept_apart_by_everybody_who_took_part() -> None:
    policy = policy_with("")
    stranger = Person("user:olaf", "user", frozenset({"search"}), frozenset({"on-call"}))
    demoted = Person("user:olaf", "user", OLAF.teams, frozenset({"viewer"}))
    for _ in range(2):
        assert policy.decide([OLAF], "diagnostics.read", ORDERS).allowed
        assert policy.permitted_anywhere([OLAF], "diagnostics.read")
        assert "PRINCIPAL" in policy.clear_classes([OLAF], ORDERS, "diagnostics.read")
        assert "PRINCIPAL" not in policy.clear_classes([demoted], ORDERS, "diagnostics.read")
        assert policy.decide([demoted], "diagnostics.read", ORDERS).rule == "roles.csv:13"
        assert not policy.permitted_anywhere([Person("user:olaf", "user", OLAF.teams)], "diagnostics.read")
        assert not policy.decide([stranger], "diagnostics.read", ORDERS).allowed
        assert not policy.decide([OLAF, service("judge")], "diagnostics.read", ORDERS).allowed
        assert not policy.decide([OLAF], "diagnostics.read", resource(team="search")).allowed


def test_a_rule_for_one_rpc_speaks_about_that_rpc_alone() -> None:
    policy = policy_with(f"p, user:eve, *, {LOCKS}, schema, never, allow\n")
    assert policy.decide([user("eve")], "diagnostics.read", ORDERS, rpc=f"/{LOCKS}").allowed
    assert policy.permitted_anywhere([user("eve")], "diagnostics.read", rpc=f"/{LOCKS}")
    others = ("", "/storex.diagnostics.v1.DiagnosticsService/GetHealth", "/unknown.Service/Method")
    for rpc in others:
        assert not policy.decide([user("eve")], "diagnostics.read", ORDERS, rpc=rpc).allowed
        assert not policy.permitted_anywhere([user("eve")], "diagnostics.read", rpc=rpc)
    assert not policy.decide([user("eve")], "fleet.read", ORDERS, rpc=f"/{LOCKS}").allowed


def test_a_deny_of_one_rpc_holds_also_where_the_rpc_is_not_said() -> None:
    policy = policy_with(f"p, *, *, {LOCKS}, public, never, deny\n")
    health = "/storex.diagnostics.v1.DiagnosticsService/GetHealth"
    assert not policy.decide([OLAF], "diagnostics.read", ORDERS, rpc=f"/{LOCKS}").allowed
    assert not policy.decide([OLAF], "diagnostics.read", ORDERS).allowed
    assert policy.decide([OLAF], "diagnostics.read", ORDERS, rpc=health).allowed
    assert policy.decide([OLAF], "fleet.read", ORDERS).allowed


def test_classes_without_a_permission_are_those_that_hold_for_every_one_held_there() -> None:
    policy = policy_with(
        "p, user:eve, *, fleet.read, principal, never, allow\np, user:eve, *, agent.ask, schema, never, allow\n"
    )
    assert policy.clear_classes([user("eve")], ORDERS) == {"PUBLIC", "SCHEMA"}
    assert "PRINCIPAL" in policy.clear_classes([user("eve")], ORDERS, "fleet.read")


def test_a_permission_denied_everywhere_it_was_allowed_is_held_nowhere() -> None:
    policy = policy_with(
        "p, user:eve, region=eu-west-1, fleet.read, schema, never, allow\n"
        "p, user:eve, region=us-*, fleet.read, schema, never, allow\n"
        "p, user:eve, region=eu-west-1|eu-west-2, *, public, never, deny\n"
    )
    assert policy.permitted_anywhere([user("eve")], "fleet.read")
    assert policy.permitted_anywhere([user("eve")], "fleet.read", "us-east-1")
    assert not policy.permitted_anywhere([user("eve")], "fleet.read", "eu-west-1")
    assert not policy.permitted_anywhere([user("eve")], "fleet.read", "ap-south-1")


def test_a_denial_is_explained_by_the_rules_that_came_nearest() -> None:
    policy = policy_with("")
    explanation = policy.explain([OLAF, service("agent")], "diagnostics.read", resource(team="search"))
    assert not explanation.decision.allowed
    assert explanation.decision.rule == NO_RULE
    olaf, agent = explanation.principals
    assert olaf.matched == ()
    assert [near.mismatch for near in olaf.near] == ["the resource's team is search, the rule wants payments"]
    assert [trace.id for trace in agent.matched] == ["services.csv:9"]
    assert agent.holds == ("*", "acting:agent")


def test_an_allowed_call_and_a_deny_are_explained_by_their_rules() -> None:
    policy = policy_with(
        "p, user:olaf, *, diagnostics.*, public, never, deny\np, user:olaf, *, *, schema, never, allow\n"
    )
    denied = policy.explain([OLAF], "diagnostics.read", ORDERS)
    assert denied.decision.rule == "more.csv:1"
    assert {trace.id: trace.effect for trace in denied.principals[0].matched}["more.csv:1"] == "deny"
    allowed = policy.explain([OLAF], "fleet.read", ORDERS)
    assert allowed.decision == policy.decide([OLAF], "fleet.read", ORDERS)
    assert allowed.decision.rule in [trace.id for trace in allowed.principals[0].matched]
    assert allowed.clear_classes == {"PUBLIC", "SCHEMA", "PRINCIPAL"}
    assert policy.explain([Person("role:dba", "user")], "fleet.read", ORDERS).principals[0].holds == ()


@pytest.mark.parametrize("unknown", [3 * CACHED_DECISIONS])
def test_unknown_callers_do_not_fill_the_memory(unknown: int) -> None:
    policy = policy_with("")
    for number in range(unknown):
        policy.decide([Person(f"user:x{number}", "user")], "fleet.read", ORDERS)
    assert len(policy._decisions) <= 2 * CACHED_DECISIONS


def test_an_instance_without_a_team_is_nobodys_own() -> None:
    assert not parse_where("team=$own").matches(resource(team=""), {""})


def test_a_cache_keeps_what_is_asked_for_and_forgets_the_rest() -> None:
    cache: GenerationCache[int, int] = GenerationCache(10)
    cache.put(0, 100)
    for number in range(1, 100):
        cache.put(number, number)
        assert cache.get(0) == 100
    assert len(cache) <= 20
    assert cache.get(50) is None
