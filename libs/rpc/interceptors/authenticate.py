"""Who is calling, from the tokens in the metadata."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from libs.identity.principal import ACTING_SERVICES, Caller, Principal
from libs.identity.verifier import TokenVerifier
from libs.rpc.call import ACTOR, AUTHORIZATION, RELAY, CallContext
from libs.rpc.interceptors.base import CallInterceptor, Incoming

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True)
class _Proof:
    token: str
    principal: Principal


class Authenticate(CallInterceptor):
    """Verifies the user's token, the acting service's where one acts, and the relay's where one is required.

    `relay` is the subject that must have passed the call on (shards and the agent talk to the coordinator only); None
    at the front door, where a relay token means nothing and is not looked at.
    """

    def __init__(self, verifier: TokenVerifier, relay: str | None) -> None:
        self._verifier = verifier
        self._relay = relay

    @asynccontextmanager
    async def around(self, incoming: Incoming) -> AsyncIterator[None]:
        """Raises StorexError TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED."""
        call = incoming.call
        user = await self._prove(_bearer(_single(call, AUTHORIZATION)))
        if user is None:
            raise StorexError(Reason.TOKEN_MISSING)
        # A service that acts for people must never stand alone: its own rights are wide, and only ever intersected.
        if user.principal.subject in ACTING_SERVICES:
            raise StorexError(Reason.TOKEN_INVALID, detail="an acting service must send its user's token")
        actor = await self._prove(_single(call, ACTOR))
        if actor is not None and actor.principal.subject not in ACTING_SERVICES:
            raise StorexError(Reason.TOKEN_INVALID, detail="the actor is not a service that acts for others")
        call.caller = Caller(user.principal, actor.principal if actor else None, await self._relayed_by(call))
        call.token = user.token
        call.actor_token = actor.token if actor else ""
        yield

    async def _relayed_by(self, call: CallContext) -> Principal | None:
        if self._relay is None:
            return None
        relay = await self._prove(_single(call, RELAY))
        if relay is None:
            raise StorexError(Reason.TOKEN_MISSING, detail="no relay token")
        if relay.principal.subject != self._relay:
            raise StorexError(Reason.TOKEN_INVALID, detail="the relay is not the coordinator")
        return relay.principal

    async def _prove(self, token: str) -> _Proof | None:
        return _Proof(token, await self._verifier.verify(token)) if token else None


def _single(call: CallContext, key: str) -> str:
    values = call.metadata.get(key, ())
    if len(values) > 1:
        # Whoever looks at the first and whoever looks at the last would see two different callers.
        raise StorexError(Reason.TOKEN_INVALID, detail=f"{key} was sent more than once")
    return values[0] if values else ""


def _bearer(value: str) -> str:
    if value and value[: len(_SCHEME)].lower() != _SCHEME:
        raise StorexError(Reason.TOKEN_MISSING, detail="the authorization is not a bearer token")
    return value[len(_SCHEME) :].strip()
