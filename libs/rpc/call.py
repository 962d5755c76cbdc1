"""The call that is being served, for code that needs to know whose it is without being handed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from libs.core.errors import Reason
from libs.core.names import ResourceName
from libs.core.resources import Resource
from libs.identity.principal import Caller
from libs.rpc.methods import MethodInfo

AUTHORIZATION = "authorization"
ACTOR = "x-storex-actor"
RELAY = "x-storex-relay"
REQUEST_ID = "x-request-id"
TRACEPARENT = "traceparent"
SNAPSHOT = "x-storex-snapshot"
"""Names the snapshot that a call is to be answered from; whoever makes calls because of it passes it on."""

Metadata = tuple[tuple[str, str], ...]
"""Metadata to send with a call."""


class DecisionLike(Protocol):
    """What policy decided: whether, by which rule, of which version."""

    @property
    def allowed(self) -> bool:
        """Whether the call may go on."""

    @property
    def rule(self) -> str:
        """The rule that decided."""

    @property
    def version(self) -> str:
        """The policy version that it belongs to."""

    @property
    def until(self) -> float:
        """When time alone may change it, in seconds since the epoch."""


@dataclass(slots=True)
class CallContext:
    """What the interceptors have learnt of a call so far; fields are filled in the order of the interceptors."""

    request_id: str
    full_method: str
    method: MethodInfo | None
    """None for a method that is not declared; such a call is denied before any handler runs."""
    metadata: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """The text metadata that came with the call, by lower-case key; it holds tokens, so it is never shown."""
    traceparent: str = ""
    """The W3C trace context to send on."""
    deadline: float | None = None
    """When the call must be over, in seconds of the monotonic clock."""
    caller: Caller | None = None
    token: str = field(default="", repr=False)
    """The user's own token, once verified, for calls that are made in their name; in memory only."""
    actor_token: str = field(default="", repr=False)
    """The verified token of the service that acts for the user; empty where there is none."""
    name: ResourceName | None = None
    """The name in the request of a region-scoped method, as it was authorised."""
    resources: tuple[Resource, ...] = ()
    """The resources that the name covers and policy allows; handlers of lists and streams show no others."""
    snapshot: ResourceName | None = None
    """The snapshot that the call is to be answered from, as it was authorised; None for the live fleet."""
    decision: DecisionLike | None = None
    """The decision on the first of them; None where the method names no resource."""
    policy_version: str = ""
    """The policy version that the `resources` of a stream were last decided under."""
    decided_until: float = 0.0
    """When time alone may end the right to a stream, in seconds since the epoch."""
    failure: Reason | None = None
    """Why the call failed, once it has."""


_current: ContextVar[CallContext | None] = ContextVar("storex_call", default=None)


def current_call() -> CallContext | None:
    """The call that this task serves, or None outside of one."""
    return _current.get()


def enter_call(call: CallContext) -> None:
    """Make `call` the current one for this task and the tasks that it starts; each call has a task of its own."""
    _current.set(call)


def outgoing_metadata(*, authorization: str, actor: str = "", relay: str = "") -> Metadata:
    """Metadata for a call that this one causes: its tokens (without `Bearer`), and the current request id and trace."""
    metadata = [(AUTHORIZATION, f"Bearer {authorization}")]
    if actor:
        metadata.append((ACTOR, actor))
    if relay:
        metadata.append((RELAY, relay))
    call = current_call()
    if call is not None:
        metadata.append((REQUEST_ID, call.request_id))
        if call.traceparent:
            metadata.append((TRACEPARENT, call.traceparent))
        metadata += [(SNAPSHOT, name) for name in call.metadata.get(SNAPSHOT, ())]
    return tuple(metadata)
