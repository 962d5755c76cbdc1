"""Role by RPC by resource by class: everybody calls everything, and sees what a table written by hand says."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest

from libs.core.errors import Reason
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_AGENT, SCOPE_JUDGE, SCOPE_REGION, MethodInfo
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA
from libs.sensitivity.tokens import TOKEN
from tests.e2e.access.conftest import AccessMesh
from tests.e2e.access.expected import (
    HIDDEN_RPCS,
    INSTANCES,
    MAY_ASK,
    MAY_DO,
    MAY_JUDGE,
    ONLY_FLEET,
    PEOPLE,
    REGIONS,
    cells,
)
from tests.e2e.access.seen import Answer, call

pytestmark = pytest.mark.engine

CELLS = cells()
SOME = ("payments on-call", "orders viewer", "ended contractor")
"""Who stands for the rest where time is short: somebody who sees names, somebody who does not, somebody outside."""
REGIONAL = [method for method in METHODS if method.scope == SCOPE_REGION]
AT_ONCE = 8


def short(method: MethodInfo) -> str:
    return method.full_method.rpartition("/")[2]


def holds(person: str, instance: str, method: MethodInfo) -> str:
    """The cell that applies to a method; empty where the person does not get through to the instance."""
    cell = CELLS[person, instance]
    hidden = cell == "-" or (cell == "fleet" and method.permission != "fleet.read") or lacks(person, method)
    return "" if hidden or (person, instance, short(method)) in HIDDEN_RPCS else cell


def lacks(person: str, method: MethodInfo) -> bool:
    """Whether somebody holds the method's permission nowhere, whatever else they hold."""
    may = MAY_DO.get(short(method), MAY_DO.get(method.permission))
    if may is not None:
        return person not in may
    return person in ONLY_FLEET and method.permission != "fleet.read"


def refusal(person: str, method: MethodInfo) -> Reason:
    """What somebody is told of what they do not see: that they hold nothing of the kind, or that it is not there."""
    nothing = all(CELLS[person, instance] == "-" for instance in INSTANCES)
    return Reason.RPC_NOT_PERMITTED if nothing or lacks(person, method) else Reason.RESOURCE_NOT_FOUND


def check_classes(cell: str, values: dict[int, set[str]], where: str) -> None:
    tokens = {text for text in values[PRINCIPAL] if TOKEN.fullmatch(text)}
    assert not values[CUSTOMER], where
    if cell == "clear":
        assert not tokens, where
    elif cell == "drop":
        assert not values[PRINCIPAL], where
    else:
        assert tokens == values[PRINCIPAL], where
    if cell == "public":
        assert not values[SCHEMA], where


def check_something_was_seen(cell: str, seen: dict[int, set[str]], where: str) -> None:
    """A matrix over empty answers would agree with everything."""
    if cell != "fleet":  # there only an instance's host is PRINCIPAL, and its domain says what becomes of it
        assert bool(seen[PRINCIPAL]) == (cell != "drop"), where
    assert bool(seen[SCHEMA]) == (cell not in ("fleet", "public")), where


async def ask_everything(mesh: AccessMesh, person: str) -> dict[tuple[str, str], Answer]:
    """The answers of every RPC of a region about every instance, region, and one that does not exist."""
    names = [*INSTANCES.values(), "regions/eu-west-1/instances/absent-1", "regions/absent/instances/orders-1"]
    answers: dict[tuple[str, str], Answer] = {}
    places = asyncio.Semaphore(AT_ONCE)
    async with open_channel(mesh.addresses["coordinator"]) as channel:

        async def ask(method: MethodInfo, name: str) -> None:
            request = method.request_type(name=name).SerializeToString()
            async with places:
                answers[short(method), name] = await call(channel, method, request, mesh.metadata(PEOPLE[person]))

        wide = [(m, n) for m in REGIONAL if m.wildcards or short(m) == "ListInstances" for n in (*REGIONS, "regions/-")]
        await asyncio.gather(*(ask(method, name) for method in REGIONAL for name in names))
        await asyncio.gather(*(ask(method, name) for method, name in wide if method.wildcards or name != "regions/-"))
    return answers


async def check_person(mesh: AccessMesh, person: str) -> None:
    answers = await ask_everything(mesh, person)
    seen: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (rpc, name), answer in answers.items():
        method = next(method for method in REGIONAL if short(method) == rpc)
        covered = {own: full for own, full in INSTANCES.items() if name in (full, full.rpartition("/instances/")[0])}
        if name == "regions/-":
            covered = INSTANCES
        visible = {own for own in covered if holds(person, own, method)}
        where = f"{person} {rpc} {name}"
        if name == "regions/-" and refusal(person, method) is Reason.RESOURCE_NOT_FOUND:
            assert answer.reason is None, where
        else:
            assert answer.let_through if visible else answer.reason is refusal(person, method), where
        if short(method) == "ListInstances" or method.wildcards:
            assert answer.names == {INSTANCES[own] for own in visible}, where
        for own in visible:
            values = answer.values(about=INSTANCES[own] if len(visible) > 1 else "")
            check_classes(holds(person, own, method), values, where)
            for number, texts in values.items():
                seen[own][number] |= texts
    for own, values in seen.items():
        check_something_was_seen(CELLS[person, own], values, f"{person} {own}")


async def check_the_rest(mesh: AccessMesh, person: str) -> None:
    """The methods that name no resource."""
    async with open_channel(mesh.addresses["coordinator"]) as channel:
        metadata = mesh.metadata(PEOPLE[person])
        for method in METHODS:
            answer = Answer() if method.scope == SCOPE_REGION else await call(channel, method, b"", metadata)
            refused = answer.reason is Reason.RPC_NOT_PERMITTED
            if method.permission == "agent.usage":
                assert refused == (person not in MAY_JUDGE), f"{person} {short(method)}"
            elif method.scope == SCOPE_AGENT:
                assert refused == (person not in MAY_ASK), f"{person} {short(method)}"
            elif method.scope == SCOPE_JUDGE:
                assert refused == (person not in MAY_JUDGE), f"{person} {short(method)}"
            elif short(method) == "ListRegions":
                visible = {
                    INSTANCES[own].rpartition("/instances/")[0] for own in INSTANCES if CELLS[person, own] != "-"
                }
                assert refused == (not visible), person
                shown = {region.name for message in answer.messages for region in getattr(message, "regions", ())}
                assert shown == visible, person


@pytest.mark.parametrize("person", SOME)
async def test_some_see_what_the_table_says_and_nothing_else(mesh: AccessMesh, person: str) -> None:
    await check_person(mesh, person)
    await check_the_rest(mesh, person)


@pytest.mark.slow
@pytest.mark.parametrize("person", [person for person in PEOPLE if person not in SOME])
async def test_everybody_sees_what_the_table_says_and_nothing_else(mesh: AccessMesh, person: str) -> None:
    await check_person(mesh, person)
    await check_the_rest(mesh, person)


def test_the_table_knows_everybody_and_every_way_of_seeing() -> None:
    assert {person for person, _ in CELLS} == set(PEOPLE)
    assert set(CELLS.values()) == {"clear", "token", "drop", "public", "fleet", "-"}
