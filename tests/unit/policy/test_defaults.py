"""The built-in roles, as a table written by hand from what the roles are for."""

from __future__ import annotations

import pytest

from libs.core.resources import Resource
from libs.policy import load_policy
from tests.unit.policy.people import ORDERS, Person, resource, service, user

VIEWER = user("vera", teams=("payments",), roles=("viewer",))
ON_CALL = user("olaf", teams=("payments",), roles=("on-call",))
DBA = user("dora", roles=("dba",))
NOBODY = user("nick", teams=("payments",))
DEPLOYER = user("ci", teams=("payments",), roles=("deployer",))
AGENT, COORDINATOR, JUDGE = service("agent"), service("coordinator"), service("judge")
FOREIGN = resource(team="search", instance="search-1")

READ = ("fleet.read", "diagnostics.read", "history.read", "agent.ask")
WRITE = ("events.write",)
NONE: frozenset[str] = frozenset()
SCHEMA = frozenset({"PUBLIC", "SCHEMA"})
PRINCIPAL = SCHEMA | {"PRINCIPAL"}

TABLE = [
    (VIEWER, ORDERS, READ, SCHEMA),
    (VIEWER, FOREIGN, READ, NONE),
    (ON_CALL, ORDERS, READ, PRINCIPAL),
    (ON_CALL, FOREIGN, READ, NONE),
    (DBA, ORDERS, READ, PRINCIPAL),
    (DBA, FOREIGN, READ, PRINCIPAL),
    (VIEWER, ORDERS, WRITE, NONE),
    (ON_CALL, ORDERS, WRITE, PRINCIPAL),
    (ON_CALL, FOREIGN, WRITE, NONE),
    (DEPLOYER, ORDERS, ("fleet.read", *WRITE), frozenset({"PUBLIC"})),
    (DEPLOYER, ORDERS, ("diagnostics.read", "history.read", "agent.ask"), NONE),
    (DEPLOYER, FOREIGN, WRITE, NONE),
    (NOBODY, ORDERS, READ, NONE),
    (AGENT, ORDERS, READ, NONE),
    (JUDGE, ORDERS, READ, NONE),
    (COORDINATOR, FOREIGN, ("fleet.read",), frozenset({"PUBLIC"})),
    (COORDINATOR, FOREIGN, ("diagnostics.read", "agent.ask"), NONE),
]


@pytest.mark.parametrize(("who", "where", "permissions", "classes"), TABLE)
def test_a_role_sees_what_it_is_for(
    who: Person, where: Resource, permissions: tuple[str, ...], classes: frozenset[str]
) -> None:
    policy = load_policy()
    for permission in permissions:
        assert policy.decide([who], permission, where).allowed is bool(classes)
        assert policy.clear_classes([who], where, permission) == classes


def test_an_agent_can_do_no_more_than_its_user_and_a_user_no_more_than_the_agent() -> None:
    policy = load_policy()
    assert policy.decide([ON_CALL, AGENT], "diagnostics.read", ORDERS).allowed
    assert not policy.decide([ON_CALL, AGENT], "diagnostics.read", FOREIGN).allowed
    assert policy.decide([ON_CALL, AGENT], "history.read", ORDERS).allowed
    assert not policy.decide([DBA, AGENT], "events.write", ORDERS).allowed, "no model writes history"
    assert not policy.decide([DBA, COORDINATOR], "diagnostics.read", ORDERS).allowed
    assert not policy.decide([AGENT, ON_CALL], "diagnostics.read", ORDERS).allowed
    assert policy.clear_classes([VIEWER, AGENT], ORDERS, "diagnostics.read") == SCHEMA


def test_a_permission_held_nowhere_is_told_from_one_held_elsewhere() -> None:
    policy = load_policy()
    assert policy.permitted_anywhere([ON_CALL], "diagnostics.read", "eu-west-1")
    assert not policy.permitted_anywhere([user("teamless", roles=("on-call",))], "diagnostics.read")
    assert not policy.permitted_anywhere([NOBODY], "diagnostics.read")
    assert not policy.permitted_anywhere([COORDINATOR], "agent.ask")
    assert policy.permitted_global([DBA], "agent.ask")


@pytest.mark.parametrize("permission", ["", "*", "diagnostics.*", "diagnostics.write", "DIAGNOSTICS.READ"])
def test_an_undeclared_permission_is_denied_even_to_a_dba(permission: str) -> None:
    policy = load_policy()
    assert not policy.decide([DBA], permission, ORDERS).allowed
    assert not policy.permitted_anywhere([DBA], permission)


@pytest.mark.parametrize(
    "who",
    [
        Person("role:dba", "user"),
        Person("*", "user", roles=frozenset({"dba"})),
        Person("user:", "user", roles=frozenset({"dba"})),
        Person("user:eve\nuser:dora", "user", roles=frozenset({"dba"})),
        Person("service:coordinator", "user", roles=frozenset({"dba"})),
        Person("user:eve", "service", roles=frozenset({"dba"})),
        Person("user:eve", "user", frozenset({f"t{number}" for number in range(2_000)}), frozenset({"dba"})),
    ],
)
def test_a_principal_with_tricks_in_its_names_is_nobody(who: Person) -> None:
    policy = load_policy()
    assert not policy.decide([who], "fleet.read", ORDERS).allowed
    assert not policy.permitted_anywhere([who], "fleet.read")
    assert policy.clear_classes([who], ORDERS, "fleet.read") == NONE


def test_without_a_principal_nothing_is_allowed() -> None:
    policy = load_policy()
    assert not policy.decide([], "fleet.read", ORDERS).allowed
    assert not policy.permitted_anywhere([], "fleet.read")
    assert policy.clear_classes([], ORDERS) == NONE
