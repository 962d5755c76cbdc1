"""Every method of every service, called by every role, at the front door and at the region's own."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.message import Message

from libs.identity import LocalIssuer
from libs.rpc.call import Metadata
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA, SensitivityClass
from libs.sensitivity.tokens import TOKEN
from tests.canary.garden import ROLES, Garden
from tests.canary.markers import Sighting, seen, sightings
from tests.canary.requests import Harvest, requests_for
from tests.canary.wire import Answer, call, coordinators_own, to_coordinator, to_shard

_AT_ONCE = 6


class Walk:
    """Calls methods with generic requests and judges every answer."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata, clear: frozenset[SensitivityClass]) -> None:
        self._channel = channel
        self._metadata = metadata
        self._clear = clear
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._harvest = Harvest()
        self.answered: set[str] = set()
        self.refused: set[str] = set()
        """The permissions that the caller does not hold."""
        self.leaks: dict[str, set[Sighting]] = {}
        self.seen = b""

    async def through(self, methods: list[MethodInfo], *, failing: bool, thorough: bool) -> None:
        """Call each method, then again with what the first answers told; if not thorough, only those without one."""
        for again in (False, True):
            pairs = [
                (method, request)
                for method in methods
                if thorough or not again or method.full_method not in self.answered
                for request in requests_for(method, self._harvest, failing=failing, thorough=thorough)
            ]
            await asyncio.gather(*(self._one(method, request) for method, request in pairs))
            failing = False

    async def _one(self, method: MethodInfo, request: Message) -> None:
        async with self._places:
            answer = await call(self._channel, method, request.SerializeToString(), self._metadata)
        self._judge(method, request, answer)
        for message in answer.messages:
            self._harvest.gather(message)

    def _judge(self, method: MethodInfo, request: Message, answer: Answer) -> None:
        forbidden = {CUSTOMER, PRINCIPAL, SCHEMA} - self._clear
        if found := {sighting for sighting in sightings(answer.seen) if sighting.sensitivity in forbidden}:
            self.leaks[f"{method.full_method} {request}"] = found
        if answer.code is grpc.StatusCode.OK and answer.messages:
            self.answered.add(method.full_method)
        if answer.code is grpc.StatusCode.PERMISSION_DENIED:
            self.refused.add(method.permission)
        self.seen += answer.seen


_ONLY_FOR_DBA = {"agent.usage", "judge.author", "judge.run", "snapshot.delete", "snapshot.export", "statements.explain"}
_REFUSED = {
    "viewer": {"events.write", "snapshot.create", "snapshot.read", *_ONLY_FOR_DBA},
    "oncall": _ONLY_FOR_DBA,
    "dba": set[str](),
}
"""What each role that sees names of tables may not do anywhere."""
_OF_ITS_OWN = ("/storex.snapshot.", "/storex.judge.", "/storex.diagnostics.v1.DiagnosticsService/ExplainStatement")
"""Want a snapshot, a scenario, a digest that can be explained: what a sequence of calls makes has tests of its own."""
_OF_REGION = [method for method in METHODS if method.scope == SCOPE_REGION]
_SHORT_AND_THOROUGH = [
    pytest.param(False, id="short"),
    pytest.param(True, id="thorough", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("thorough", _SHORT_AND_THOROUGH)
@pytest.mark.parametrize("role", ROLES)
async def test_at_the_front_door(garden: Garden, role: str, thorough: bool) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    async with open_channel(garden.coordinator) as channel:
        walk = Walk(channel, to_coordinator(issuer, role), ROLES[role].clear)
        await walk.through(list(METHODS), failing=thorough, thorough=thorough)
    assert not walk.leaks
    if SCHEMA in ROLES[role].clear:
        assert walk.refused == _REFUSED[role]
        generic = [method for method in METHODS if method.permission not in _REFUSED[role]]
        silent = {method.full_method for method in generic if not method.full_method.startswith(_OF_ITS_OWN)}
        silent -= walk.answered
        assert not silent, "no request that was made from the descriptors is answered"
        assert seen(walk.seen, SCHEMA)
    assert bool(seen(walk.seen, PRINCIPAL)) == (PRINCIPAL in ROLES[role].clear)
    assert bool(TOKEN.search(walk.seen.decode("utf-8", "replace"))) == (role == "viewer")


@pytest.mark.parametrize("thorough", _SHORT_AND_THOROUGH)
@pytest.mark.parametrize("role", ROLES)
async def test_at_the_regions_border(garden: Garden, role: str, thorough: bool) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    async with open_channel(garden.shard) as channel:
        for by_agent in (False, True) if thorough else (True,):
            walk = Walk(channel, to_shard(issuer, role, by_agent=by_agent), ROLES[role].clear)
            await walk.through(list(METHODS) if thorough else _OF_REGION, failing=thorough, thorough=thorough)
            assert not walk.leaks
            assert bool(seen(walk.seen, PRINCIPAL)) == (PRINCIPAL in ROLES[role].clear)
        if role == "dba":
            own = Walk(channel, coordinators_own(issuer), frozenset())
            await own.through(_OF_REGION, failing=False, thorough=thorough)
            assert not own.leaks
            assert own.answered
