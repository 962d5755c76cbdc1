"""Whether the caller may make this call on this resource."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.names import WILDCARD, ResourceName, parse_name
from libs.core.resources import Resource
from libs.identity.principal import Caller, Principal
from libs.rpc.call import SNAPSHOT, CallContext, DecisionLike
from libs.rpc.directory import ResourceDirectory
from libs.rpc.interceptors.base import CallInterceptor, Incoming
from libs.rpc.interceptors.lasting import while_it_holds
from libs.rpc.methods import SCOPE_REGION, MethodInfo
from libs.rpc.routing import read_name

RECHECK_SECONDS = 1.0
"""How often the right to a stream is looked at while the stream says nothing."""
READ_SNAPSHOTS = "snapshot.read"
"""The permission that a call from a snapshot needs on the snapshot's instance, beside its own."""


class Policy(Protocol):
    """The part of a policy engine that calls are decided with."""

    @property
    def version(self) -> str:
        """The version in force."""

    def decide(
        self, principals: Sequence[Principal], permission: str, resource: Resource, *, rpc: str = ""
    ) -> DecisionLike:
        """Whether all of them may use the permission on the resource."""

    def permitted_anywhere(
        self, principals: Sequence[Principal], permission: str, region: str | None = None, *, rpc: str = ""
    ) -> bool:
        """Whether each of them could hold the permission on some resource (of that region)."""

    def permitted_global(self, principals: Sequence[Principal], permission: str, *, rpc: str = "") -> bool:
        """Whether each of them may use a method that names no resource."""


class Authorise(CallInterceptor):
    """Lets a call through to the resources that its name covers and policy allows, and to no other.

    What the caller may do nowhere is refused whatever the name. A name outside of the caller's grants, and one that
    does not exist, get the same answer. Streams end with the caller's tokens, with the grant that they stand on, and
    when a newer policy takes the right away: at once before a message, else within RECHECK_SECONDS.
    """

    def __init__(self, policy: Policy, directory: ResourceDirectory, clock: Clock) -> None:
        self._policy = policy
        self._directory = directory
        self._clock = clock

    def around(self, incoming: Incoming) -> AbstractAsyncContextManager[None]:
        """Raises StorexError RPC_NOT_PERMITTED, RESOURCE_NOT_FOUND, or what is wrong with the name."""
        call = incoming.call
        method, caller = call.method, call.caller
        if method is None or caller is None:
            raise StorexError(Reason.RPC_NOT_PERMITTED, detail="not declared")
        self._check_method(method, caller)
        if method.scope == SCOPE_REGION:
            call.name = read_name(incoming.request, wildcards=method.wildcards, snapshots=method.of_snapshots)
            call.resources = self._allowed(call, method, caller, call.name)
        call.snapshot = self._snapshot(call, method, caller)
        if method.server_streaming:
            return while_it_holds(lambda: self._check_again(call, method, caller))
        return nullcontext()

    def before_message(self, call: CallContext) -> None:
        """Decide again once the policy or the time may have changed the answer.

        Raises StorexError RPC_NOT_PERMITTED or TOKEN_EXPIRED.
        """
        if call.method is None or call.caller is None:
            raise StorexError(Reason.RPC_NOT_PERMITTED)
        if call.policy_version != self._policy.version or self._clock.now() >= call.decided_until:
            self._check_again(call, call.method, call.caller)

    def _check_again(self, call: CallContext, method: MethodInfo, caller: Caller) -> float:
        """Seconds after which the answer may differ, at most RECHECK_SECONDS. Raises what `before_message` raises."""
        now, version = self._clock.now(), self._policy.version
        if caller.expires_at <= now:
            raise StorexError(Reason.TOKEN_EXPIRED)
        self._check_method(method, caller)
        until = caller.expires_at
        for resource in call.resources:
            decision = self._decide(method, caller, resource)
            if not decision.allowed:
                raise StorexError(Reason.RPC_NOT_PERMITTED, detail="the right ended during the stream")
            until = min(until, decision.until)
        if call.snapshot is not None and self._decides_about(call.snapshot, method):
            until = min(until, self._right_to(call.snapshot, caller))
        call.policy_version, call.decided_until = version, until
        return min(until - now, RECHECK_SECONDS)

    def _snapshot(self, call: CallContext, method: MethodInfo, caller: Caller) -> ResourceName | None:
        """The snapshot that the call names in its metadata, if it does: to read it is a right of its own."""
        offered = call.metadata.get(SNAPSHOT, ())
        if not offered:
            return None
        name = parse_name(offered[0], snapshots=True) if len(offered) == 1 else None
        if name is None or name.snapshot is None:
            raise StorexError(Reason.NAME_INVALID)
        if not self._decides_about(name, method):
            return name
        self._right_to(name, caller)
        if call.name is not None and call.name.region not in (WILDCARD, name.region):
            raise StorexError(Reason.NOT_CAPTURED, what="another region")
        return name

    def _decides_about(self, snapshot: ResourceName, method: MethodInfo) -> bool:
        """Not in a service without resources of its own: there whoever holds the snapshot decides."""
        return method.scope == SCOPE_REGION or self._directory.knows_region(snapshot.region)

    def _right_to(self, snapshot: ResourceName, caller: Caller) -> float:
        """Until when the caller may read the snapshot. Raises StorexError RESOURCE_NOT_FOUND."""
        resource = self._directory.instance(snapshot.instance_name)
        if resource is not None:
            decision = self._policy.decide(caller.principals, READ_SNAPSHOTS, resource)
            if decision.allowed:
                return decision.until
        raise StorexError(Reason.RESOURCE_NOT_FOUND)

    def _check_method(self, method: MethodInfo, caller: Caller) -> None:
        ask = self._policy.permitted_anywhere if method.scope == SCOPE_REGION else self._policy.permitted_global
        if not ask(caller.principals, method.permission, rpc=method.full_method):
            raise StorexError(Reason.RPC_NOT_PERMITTED)

    def _allowed(
        self, call: CallContext, method: MethodInfo, caller: Caller, name: ResourceName
    ) -> tuple[Resource, ...]:
        candidates = self._candidates(method, caller, name)
        allowed = tuple(item for item in candidates if self._decide(method, caller, item).allowed)
        if allowed:
            call.decision = self._decide(method, caller, allowed[0])
        elif not self._may_be_empty(method, caller, name, candidates):
            raise StorexError(Reason.RESOURCE_NOT_FOUND)
        return allowed

    def _candidates(self, method: MethodInfo, caller: Caller, name: ResourceName) -> Sequence[Resource]:
        try:
            if name.instance is None or name.is_wildcard:
                return self._directory.within(name)
            resource = self._directory.instance(name)
        except StorexError:
            # The region's inventory is not known yet; only those who could hold a grant there may learn of it.
            if self._could_hold(method, caller, name.region):
                raise
            raise StorexError(Reason.RESOURCE_NOT_FOUND) from None
        return () if resource is None else (resource,)

    def _may_be_empty(
        self, method: MethodInfo, caller: Caller, name: ResourceName, candidates: Sequence[Resource]
    ) -> bool:
        if name.region == WILDCARD:
            return True
        whole_region = name.instance is None or name.instance == WILDCARD
        empty = whole_region and not candidates and self._directory.knows_region(name.region)
        return empty and self._could_hold(method, caller, name.region)

    def _could_hold(self, method: MethodInfo, caller: Caller, region: str) -> bool:
        return self._policy.permitted_anywhere(caller.principals, method.permission, region, rpc=method.full_method)

    def _decide(self, method: MethodInfo, caller: Caller, resource: Resource) -> DecisionLike:
        return self._policy.decide(caller.principals, method.permission, resource, rpc=method.full_method)
