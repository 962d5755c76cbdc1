"""What a policy engine is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from libs.core.resources import Resource

if TYPE_CHECKING:
    from libs.policy.explain import Explanation

CLASSES = ("public", "schema", "principal")
"""The classes that policy may show in clear, lowest first. CUSTOMER is not among them: it never leaves its region."""

NO_RULE = "no rule"
"""The rule named by a decision that no rule made: what is not allowed is denied."""


class PrincipalLike(Protocol):
    """Somebody who was authenticated. The values come from a verified token."""

    @property
    def subject(self) -> str:
        """`user:NAME` or `service:NAME`."""

    @property
    def kind(self) -> str:
        """`user` or `service`."""

    @property
    def teams(self) -> frozenset[str]:
        """The teams that it belongs to."""

    @property
    def roles(self) -> frozenset[str]:
        """The roles that its issuer gave it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, and why.

    `rule` names the deciding rules by file and line, one for each principal when allowed (`roles.csv:14 +
    services.csv:7`), the first refusing one when denied. `until` is the moment, in seconds since the epoch, from which
    the passing of time alone may change the answer; `version` is that of the policy that gave it.
    """

    allowed: bool
    rule: str
    version: str
    until: float = float("inf")


class PolicyEngine(Protocol):
    """Decides. Every principal of a call must be allowed: a service that acts for a user can do no more than both.

    The first principal is the one whose call it is; those after it are services that act for it, and are judged by the
    rules for `acting:NAME` alone. So a service that may read everything for others may read nothing by itself.
    `rpc` is the full method (`/storex.fleet.v1.FleetService/GetInstance`). Without it, rules that allow single RPCs
    do not apply and rules that deny one of the permission's RPCs do: what is not said never opens a door.
    """

    @property
    def version(self) -> str:
        """The version of the policy in force."""

    def decide(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Decision:
        """Whether all of them may use the permission on the resource."""

    def permitted_anywhere(
        self, principals: Sequence[PrincipalLike], permission: str, region: str | None = None, *, rpc: str = ""
    ) -> bool:
        """Whether each of them could hold the permission on some resource (of that region)."""

    def permitted_global(self, principals: Sequence[PrincipalLike], permission: str, *, rpc: str = "") -> bool:
        """Whether each of them may use a method that names no resource; its answer is filtered by `decide`."""

    def clear_classes(
        self, principals: Sequence[PrincipalLike], resource: Resource, permission: str | None = None, *, rpc: str = ""
    ) -> frozenset[str]:
        """The classes (`PUBLIC`, `SCHEMA`, `PRINCIPAL`) that all of them see in clear on the resource.

        Without a permission: those that hold for every permission that they have there.
        """

    def explain(
        self, principals: Sequence[PrincipalLike], permission: str, resource: Resource, *, rpc: str = ""
    ) -> Explanation:
        """The decision with every rule that took part, and the nearest ones that did not."""
