"""Pairs of sessions that wait for each other, as a forest: the sessions at the root block, all others wait.

Pure functions over plain values. An engine lists a waiter once for each session ahead of it in the queue, so that the
pairs are no tree; the shortest way to a root is taken as the chain of a waiter.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storex.diagnostics.v1 import diagnostics_pb2


@dataclass(frozen=True)
class Edge:
    """`waiter` waits for `blocker`; both are connection ids."""

    waiter: int
    blocker: int
    kind: diagnostics_pb2.LockKind.ValueType
    table: str = ""
    index: str = ""
    requested_mode: str = ""
    held_mode: str = ""
    record: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """How one session waits: its edge on the shortest way to `root`, `depth` steps away."""

    edge: Edge
    root: int
    depth: int


@dataclass(frozen=True, slots=True)
class Forest:
    """The chain of each waiter, and for each root the waiters that depend on it, directly or through others."""

    chains: Mapping[int, Chain]
    dependents: Mapping[int, frozenset[int]]


def grow(edges: Iterable[Edge]) -> Forest:
    """The forest of these pairs.

    Where sessions wait in a circle, which engines break up by themselves as a rule, the one that most others wait
    for stands as a root.
    """
    waiting_for: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.waiter != edge.blocker:
            waiting_for[edge.blocker].append(edge)
    waiters = {edge.waiter for group in waiting_for.values() for edge in group}
    roots = sorted(
        (blocker for blocker in waiting_for if blocker not in waiters), key=lambda root: (-len(waiting_for[root]), root)
    )
    chains = _chains(roots, waiting_for, {})
    while len(chains) < len(waiters - set(roots)):
        circle = [
            blocker for blocker in waiting_for if blocker in waiters and blocker not in chains and blocker not in roots
        ]
        root = max(circle, key=lambda blocker: (len(waiting_for[blocker]), -blocker))
        roots.append(root)
        chains = _chains([root], waiting_for, chains)
    chains = {waiter: chain for waiter, chain in chains.items() if waiter not in roots}
    return Forest(chains, {root: _reachable(root, waiting_for) - set(roots) for root in roots})


def _chains(roots: list[int], waiting_for: Mapping[int, list[Edge]], known: Mapping[int, Chain]) -> dict[int, Chain]:
    chains = dict(known)
    queue = deque((root, root, 0) for root in roots)
    while queue:
        blocker, root, depth = queue.popleft()
        for edge in waiting_for.get(blocker, ()):
            if edge.waiter not in chains and edge.waiter not in roots:
                chains[edge.waiter] = Chain(edge, root, depth + 1)
                queue.append((edge.waiter, root, depth + 1))
    return chains


def _reachable(root: int, waiting_for: Mapping[int, list[Edge]]) -> frozenset[int]:
    seen: set[int] = set()
    stack = [root]
    while stack:
        for edge in waiting_for.get(stack.pop(), ()):
            if edge.waiter not in seen and edge.waiter != root:
                seen.add(edge.waiter)
                stack.append(edge.waiter)
    return frozenset(seen)
