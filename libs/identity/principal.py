"""Principals and callers, as the rest of the mesh sees them once their tokens have been verified."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from libs.core.errors import Reason, StorexError

Kind = Literal["user", "service"]

COORDINATOR = "service:coordinator"
"""The one service that may relay calls to shards and to the agent."""
ACTING_SERVICES = frozenset({"service:agent", "service:judge"})
"""Services that only ever act for somebody: they may be the actor of a call, never its user."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+|-]{0,127}", re.ASCII)
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", re.ASCII)
_MAX_GROUPS = 256


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service, as a trusted issuer described it.

    `subject` is `user:NAME` or `service:NAME`; `expires_at` is in seconds since the Unix epoch.
    """

    subject: str
    kind: Kind
    teams: frozenset[str]
    roles: frozenset[str]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Caller:
    """Everyone who stands behind a call.

    `user` is whose call it is (a person, or a service on its own behalf), `actor` the service that acts for them, and
    `relay` the coordinator that passed the call on. The relay lends no rights.
    """

    user: Principal
    actor: Principal | None = None
    relay: Principal | None = None

    @property
    def principals(self) -> tuple[Principal, ...]:
        """Those whose rights are intersected: the user, and the actor where there is one."""
        return (self.user,) if self.actor is None else (self.user, self.actor)

    @property
    def expires_at(self) -> float:
        """When the first of their tokens ends, in seconds since the Unix epoch."""
        return min(principal.expires_at for principal in self.principals)


def principal_from_claims(claims: Mapping[str, Any]) -> Principal:
    """Build a principal from verified claims.

    A subject without a prefix is a person. A service must say so twice, in its subject and in the claim `kind`, so
    that an issuer which lets people choose their subject cannot mint services. Raises StorexError TOKEN_INVALID.
    """
    prefix, colon, name = str(claims["sub"]).partition(":")
    if not colon:
        prefix, name = "user", prefix
    declared = claims.get("kind", "user")
    if prefix not in ("user", "service") or prefix != declared or not _NAME.fullmatch(name):
        raise StorexError(Reason.TOKEN_INVALID, detail="the subject is not a user's or a service's")
    kind: Kind = "service" if prefix == "service" else "user"
    return Principal(
        subject=f"{kind}:{name}",
        kind=kind,
        teams=_groups(claims.get("teams", [])),
        roles=_groups(claims.get("roles", [])),
        expires_at=float(claims["exp"]),
    )


def _groups(value: object) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > _MAX_GROUPS:
        raise StorexError(Reason.TOKEN_INVALID, detail="teams and roles must be short lists of names")
    if not all(isinstance(item, str) and _GROUP.fullmatch(item) for item in value):
        raise StorexError(Reason.TOKEN_INVALID, detail="teams and roles must be short lists of names")
    return frozenset(value)
