"""The chain that every call passes on every server: one file each, in one order, with the reason beside each."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from libs.core.clock import Clock, SystemClock
from libs.identity.verifier import TokenVerifier
from libs.rpc.directory import ResourceDirectory
from libs.rpc.interceptors.access_log import AccessLog
from libs.rpc.interceptors.authenticate import Authenticate
from libs.rpc.interceptors.authorise import Authorise, Policy
from libs.rpc.interceptors.base import OPEN_METHODS, CallInterceptor
from libs.rpc.interceptors.error_mapping import ErrorMapping
from libs.rpc.interceptors.guard import CallLimits, Guard
from libs.rpc.interceptors.rate_limit import RateLimit
from libs.rpc.interceptors.request_context import RequestContext
from libs.rpc.methods import METHODS, MethodTable
from libs.telemetry.metrics import RpcMetrics
from libs.telemetry.spans import Tracing

__all__ = ["OPEN_METHODS", "CallInterceptor", "CallLimits", "InterceptorDeps", "Policy", "server_interceptors"]


@dataclass(frozen=True, slots=True)
class InterceptorDeps:
    """What the chain is built from.

    `relay` is the subject that must have passed a call on (`libs.identity.principal.COORDINATOR` for a shard and the
    agent); None for the coordinator itself. `registry` gets the call metrics; one chain to a registry.
    """

    verifier: TokenVerifier
    policy: Policy
    directory: ResourceDirectory
    relay: str | None
    tracing: Tracing
    registry: CollectorRegistry
    methods: MethodTable = METHODS
    limits: CallLimits = field(default_factory=CallLimits)
    clock: Clock = field(default_factory=SystemClock)


def server_interceptors(deps: InterceptorDeps) -> list[CallInterceptor]:
    """The chain, outermost first. A server may append steps of its own; they see decoded messages."""
    return [
        # First, so that everything after it, refusals included, can be traced by its id.
        RequestContext(deps.methods, deps.tracing),
        # Around the error mapping, so that it sees how the call really ended.
        AccessLog(RpcMetrics(deps.registry), deps.clock),
        # Around everything that may refuse or fail: nothing inside of it speaks to the caller directly.
        ErrorMapping(),
        # Before any work is spent on the request, such as a signature check.
        Guard(deps.limits, deps.clock),
        # Before anything is looked up: strangers learn nothing, not even which methods there are.
        Authenticate(deps.verifier, deps.relay),
        # Needs the caller; everything after it may rely on the right being there.
        Authorise(deps.policy, deps.directory, deps.clock),
        # Last, because it counts by verified principal, and refused calls cost the others nothing.
        RateLimit(deps.limits),
    ]
