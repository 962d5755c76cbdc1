"""Which finding explains which."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest

from libs.core.catalogue import CATALOGUE
from services.shard.verdict.health import rank
from services.shard.verdict.relations import RELATIONS, explains
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import finding_pb2


def finding(kind: str, *entities: tuple[str, str, str], impact: float = 1.0) -> finding_pb2.Finding:
    named = [entity_pb2.Entity(role=role, type=type_, value=value) for role, type_, value in entities]
    return finding_pb2.Finding(kind=kind, entities=named, impact=impact, severity=finding_pb2.SEVERITY_WARNING)


def test_relations_speak_of_known_causes_and_of_parts_that_both_have() -> None:
    for relation in RELATIONS:
        for kind in (relation.cause, relation.effect):
            parts = {(entity.role, entity.type) for entity in CATALOGUE[kind].entities}
            effect_has = relation.shared_as if kind == relation.effect else None
            shared = effect_has or relation.shared
            assert shared is None or shared in parts, (kind, relation)


def test_no_finding_explains_itself_through_others() -> None:
    effects: dict[str, set[str]] = {}
    for relation in RELATIONS:
        effects.setdefault(relation.cause, set()).add(relation.effect)
    order = list(TopologicalSorter(effects).static_order())  # raises where there is a circle
    assert set(order) >= {relation.cause for relation in RELATIONS}


def test_the_same_holder_is_told_once() -> None:
    holder = ("holder", "connection_id", "7")
    ranked = rank([finding("lock.row_blocker", holder, impact=9.0), finding("lock.metadata", holder)])
    assert [(one.kind, list(one.explains)) for one in ranked] == [("lock.metadata", ["f1"]), ("lock.row_blocker", [])]


def test_another_holder_is_another_cause() -> None:
    one = finding("lock.metadata", ("holder", "connection_id", "7"))
    other = finding("lock.row_blocker", ("holder", "connection_id", "8"))
    assert not explains(one, other)
    assert not explains(other, one)


def test_few_waiters_do_not_explain_that_no_connection_is_left() -> None:
    exhausted = finding("connections.exhausted", impact=100.0)
    assert not explains(finding("lock.row_blocker", impact=6.0), exhausted)
    assert explains(finding("lock.row_blocker", impact=80.0), exhausted)


@pytest.mark.parametrize(("variable", "explained"), [("innodb_lock_wait_timeout", True), ("wait_timeout", False)])
def test_a_lock_explains_that_statements_fail_and_not_that_clients_are_hung_up_on(
    variable: str, explained: bool
) -> None:
    lock = finding_pb2.Finding(kind="lock.row_blocker")
    part = entity_pb2.Entity(role="cause", type="variable", value=variable)
    change = finding_pb2.Finding(kind="config.change", entities=[part])
    assert explains(lock, change) is explained
