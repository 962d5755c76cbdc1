"""Looks more seldom at what seldom changes: variables, clients, and the shape of tables."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.core.clock import Clock
from libs.core.errors import StorexError
from services.shard.mysql.source import ResultSets, Source
from services.shard.mysql.statements import ROW_CAPS, Statement
from services.shard.sampler.clients import Client, KnownClients, clients_of
from services.shard.sampler.differences import (
    TABLE,
    VARIABLE,
    Shape,
    table_changes,
    table_shapes,
    variable_changes,
    variable_values,
)
from services.shard.sampler.recorder import Recorder
from services.shard.stores.records import Change, State

VARIABLES_SECONDS = 30.0
CLIENTS_SECONDS = 15.0
SCHEMA_SECONDS = 300.0
CLIENT_STATE_SECONDS = 60.0
COST_SHARE = 0.005
"""Largest share of time that reading one of these may take: what is dear is read more seldom."""
MOST_TABLE_CHANGES = 500
TICK_SECONDS = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Look:
    every: float
    take: Callable[[], Awaitable[None]]
    due: float = 0.0


class Watcher:
    """Watches one instance for changes; `run` goes on until it is cancelled."""

    def __init__(self, source: Source, recorder: Recorder, clock: Clock) -> None:
        self._source = source
        self._recorder = recorder
        self._clock = clock
        self._variables: tuple[str, dict[str, str], float] | None = None
        self._shapes: tuple[Shape, float] | None = None
        self._clients: KnownClients | None = None
        self._clients_stored = 0.0
        self._looks = (
            _Look(VARIABLES_SECONDS, self.look_at_variables),
            _Look(CLIENTS_SECONDS, self.look_at_clients),
            _Look(SCHEMA_SECONDS, self.look_at_tables),
        )

    async def run(self) -> None:
        """Look at each thing when it is due; what fails is tried again at its next turn."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._recorder.begin()
            except StorexError:
                continue  # the archive tells why
            for look in self._looks:
                began = self._clock.monotonic()
                if began >= look.due:
                    await self._take(look)
                    took = self._clock.monotonic() - began
                    look.due = began + max(look.every, took / COST_SHARE)

    async def _take(self, look: _Look) -> None:
        try:
            await look.take()
        except StorexError:
            pass  # the sampler tells that the instance does not answer
        except Exception:
            log.exception("a look for changes failed")

    async def look_at_variables(self) -> None:
        """Compare the global variables with those of the last look. Raises StorexError."""
        results = await self._source.read(Statement.GLOBAL_VARIABLES)
        at = self._recorder.now()
        known = self._variables or self._stored_variables()
        salt = known[0] if known else secrets.token_hex(16)
        values = variable_values(results.rows(Statement.GLOBAL_VARIABLES), salt)
        if not values:
            return
        before, since = (values, at) if known is None else (known[1], known[2])
        changes = [Change(at, VARIABLE, content, since) for content in variable_changes(before, values)]
        if changes or self._variables is None:
            content = json.dumps({"salt": salt, "values": values}).encode()
            self._recorder.changed(changes, {"variables": State(at, content)})
        self._variables = (salt, values, at)

    def _stored_variables(self) -> tuple[str, dict[str, str], float] | None:
        state = self._recorder.state("variables")
        if state is None:
            return None
        content = json.loads(state.content)
        return content["salt"], content["values"], state.at

    async def look_at_tables(self) -> None:
        """Compare the shapes of all tables with those of the last look. Raises StorexError."""
        results = await self._source.read(Statement.COLUMNS, Statement.INDEXES)
        if not _is_whole(results, Statement.COLUMNS, Statement.INDEXES):
            return  # half a list would tell of tables that were dropped
        at = self._recorder.now()
        shapes = table_shapes(results.rows(Statement.COLUMNS), results.rows(Statement.INDEXES))
        known = self._shapes or self._stored_shapes()
        before, since = (shapes, at) if known is None else known
        changes = [Change(at, TABLE, content, since) for content in table_changes(before, shapes)][:MOST_TABLE_CHANGES]
        if changes or self._shapes is None:
            self._recorder.changed(changes, {"tables": State(at, zlib.compress(json.dumps(shapes).encode(), 1))})
        self._shapes = (shapes, at)

    def _stored_shapes(self) -> tuple[Shape, float] | None:
        state = self._recorder.state("tables")
        return None if state is None else (json.loads(zlib.decompress(state.content)), state.at)

    async def look_at_clients(self) -> None:
        """Compare who is connected with who was. Raises StorexError."""
        results = await self._source.read(Statement.PROCESSES, Statement.PROGRAMS, Statement.CLIENT_VERSIONS)
        if not results.has(Statement.PROCESSES):
            return
        at = self._recorder.now()
        if self._clients is None:
            self._clients = self._stored_clients()
        changes = list(self._clients.see(clients_of(results), at))
        if changes or not 0.0 <= at - self._clients_stored < CLIENT_STATE_SECONDS:
            self._clients_stored = at
            seen = [[*client.content.values(), last] for client, last in self._clients.last_seen.items()]
            self._recorder.changed(changes, {"clients": State(at, json.dumps(seen).encode())})

    def _stored_clients(self) -> KnownClients:
        state = self._recorder.state("clients")
        if state is None:
            return KnownClients()
        # Nobody watched in between: who was there counts as seen until now.
        return KnownClients({Client(*fields): self._recorder.now() for *fields, _ in json.loads(state.content)})


def _is_whole(results: ResultSets, *statements: Statement) -> bool:
    return all(
        results.has(statement) and len(results.rows(statement)) < ROW_CAPS[statement] for statement in statements
    )
