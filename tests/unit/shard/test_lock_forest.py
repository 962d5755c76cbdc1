from __future__ import annotations

from services.shard.facts.lock_forest import Edge, grow
from storex.diagnostics.v1 import diagnostics_pb2

ROW = diagnostics_pb2.LOCK_KIND_ROW


def edges(*pairs: tuple[int, int]) -> list[Edge]:
    return [Edge(waiter, blocker, ROW) for waiter, blocker in pairs]


def chains(*pairs: tuple[int, int]) -> dict[int, tuple[int, int, int]]:
    forest = grow(edges(*pairs))
    return {waiter: (chain.edge.blocker, chain.root, chain.depth) for waiter, chain in forest.chains.items()}


def test_a_queue_for_one_row_waits_for_the_holder_not_for_each_other() -> None:
    # InnoDB lists each waiter once for everybody ahead of it.
    assert chains((10, 9), (10, 8), (10, 7), (9, 8), (9, 7), (8, 7)) == {8: (7, 7, 1), 9: (7, 7, 1), 10: (7, 7, 1)}


def test_a_chain_over_several_rows_keeps_its_steps() -> None:
    assert chains((2, 1), (3, 2), (4, 3)) == {2: (1, 1, 1), 3: (2, 1, 2), 4: (3, 1, 3)}


def test_dependents_count_indirect_waiters_and_sessions_that_wait_for_two_roots() -> None:
    forest = grow(edges((2, 1), (3, 2), (3, 9)))
    assert forest.dependents == {1: {2, 3}, 9: {3}}


def test_a_circle_still_has_a_root() -> None:
    forest = grow(edges((1, 2), (2, 1), (3, 2)))
    assert set(forest.dependents) == {2}
    assert {waiter: chain.root for waiter, chain in forest.chains.items()} == {1: 2, 3: 2}


def test_a_session_does_not_wait_for_itself() -> None:
    assert grow(edges((1, 1))).chains == {}
