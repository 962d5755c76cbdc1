"""Turns what a sampler saw of one instance into its lasting history, without ever waiting for the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from libs.core.clock import Clock
from services.shard.sampler.dating import Dated, Dating
from services.shard.sampler.differences import CLOCK, RESTART, VERSION
from services.shard.sampler.history import DigestSample
from services.shard.sampler.rates import Rates
from services.shard.sampler.statement_work import StatementWork
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Change, Sample, State
from services.shard.work.statement_texts import StatementTexts

SERVER = "server"
"""The state that says which server it was."""
_SERVER_STATE_SECONDS = 60.0
_AWAY_SLACK = 60.0
"""By how much clocks of a server and of a shard may disagree over the time that no shard watched, in seconds."""


class Recorder:
    """The history of one instance as it is made. Used on the event loop only."""

    def __init__(self, name: str, archive: Archive, texts: StatementTexts, clock: Clock) -> None:
        self.name = name
        self._archive = archive
        self._texts = texts
        self._dating = Dating(clock)
        self._rates = Rates()
        self._work: StatementWork | None = None
        self._server: dict[str, object] | None = None
        self._server_stored = 0.0
        self._states: Mapping[str, State] | None = None

    async def begin(self) -> None:
        """Read what was known before; until that succeeds no changes are told. Raises StorexError."""
        if self._states is not None:
            return
        known = await self._archive.ask(lambda store: store.statements(self.name))
        states = await self._archive.ask(lambda store: store.states(self.name))
        self._work = StatementWork(self._texts, known)
        self._states = states
        if SERVER in states:
            self._server = {**json.loads(states[SERVER].content), "at": states[SERVER].at}

    @property
    def has_begun(self) -> bool:
        """Whether `begin` has succeeded."""
        return self._states is not None

    def state(self, subject: str) -> State | None:
        """The last known state of something, as it was when the recording began."""
        return None if self._states is None else self._states.get(subject)

    def now(self) -> float:
        """The date of this moment."""
        return self._follow(self._dating.now()).at

    def _follow(self, dated: Dated) -> Dated:
        if dated.step:
            change = Change(dated.at, CLOCK, {"step_seconds": f"{dated.step:.3f}"})
            self._archive.put(Batch(self.name, changes=(change,), forget_after=dated.forget_after))
        return dated

    def sampled(self, at: float, status: Mapping[str, float], figures: Mapping[str, float], version: str) -> None:
        """One look at the counters, at the monotonic time `at`."""
        dated = self._follow(self._dating.now())
        if self._rates.restarted(at, status) and self._work is not None:
            self._work.begin_again()
        values = {**self._rates.next(at, status), **figures}
        changes, states = self._followed_server(dated.at, status, version)
        self._archive.put(Batch(self.name, samples=(Sample(dated.at, values),), changes=changes, states=states))

    def _followed_server(
        self, at: float, status: Mapping[str, float], version: str
    ) -> tuple[tuple[Change, ...], dict[str, State]]:
        if self._states is None or "Uptime" not in status:
            return (), {}
        now: dict[str, object] = {
            "version": version,
            "uptime": status["Uptime"],
            "connections": status.get("Connections", 0.0),
        }
        changes = () if self._server is None else tuple(_server_changes(self._server, now, at))
        self._server = {**now, "at": at}
        if not changes and 0.0 <= at - self._server_stored < _SERVER_STATE_SECONDS:
            return (), {}
        self._server_stored = at
        return changes, {SERVER: State(at, json.dumps(now).encode())}

    def worked(self, sample: DigestSample) -> None:
        """One look at the counters of all statements."""
        if self._work is None:
            return
        dated = self._follow(self._dating.now())
        work, statements, changes = self._work.next(sample, dated.at)
        if work is not None:
            self._archive.put(Batch(self.name, work=(work,), statements=tuple(statements), changes=tuple(changes)))

    def changed(self, changes: Iterable[Change], states: Mapping[str, State]) -> None:
        """Changes together with the states that they lead to: both are kept, or neither."""
        self._archive.put(Batch(self.name, changes=tuple(changes), states=states))


def _server_changes(before: Mapping[str, object], now: Mapping[str, object], at: float) -> Iterable[Change]:
    last, uptime = float(str(before["at"])), float(str(now["uptime"]))
    away = at - last
    # A server whose clock was set has another uptime, but has not lost count of its connections.
    fewer = float(str(now["connections"])) < float(str(before["connections"]))
    if (fewer and uptime < float(str(before["uptime"])) + away) or 0.0 <= uptime < away - _AWAY_SLACK:
        yield Change(max(last, at - uptime), RESTART, {"version": str(now["version"])}, since=last)
    if before["version"] != now["version"] and before["version"] and now["version"]:
        yield Change(at, VERSION, {"old": str(before["version"]), "new": str(now["version"])}, since=last)
