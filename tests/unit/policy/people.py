"""Principals and resources that the policy tests share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from libs.core.resources import Resource

ORDERS = Resource("eu-west-1", "gdpr", "aws", "prod", "payments", "orders-1")
"""An instance of the payments team."""


@dataclass(frozen=True)
class Person:
    """A principal as a verified token describes it."""

    subject: str
    kind: str
    teams: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


def user(name: str, *, teams: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> Person:
    return Person(f"user:{name}", "user", frozenset(teams), frozenset(roles))


def service(name: str) -> Person:
    return Person(f"service:{name}", "service", frozenset(), frozenset({name}))


def resource(**changes: str) -> Resource:
    return replace(ORDERS, **changes)


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.seconds = now

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds
