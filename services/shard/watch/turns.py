"""One reading after the other: a round leaves the second session of an instance to those who ask for something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.mysql.features import Capabilities
from services.shard.mysql.source import ResultSets, Source
from services.shard.mysql.statements import Statement

_OF_THE_CALL = frozenset({Reason.DATABASE_BUSY, Reason.CANCELLED})
"""Failures that say nothing about the server."""


class Turns:
    """The turns of one round. Once the server has not answered one of them, the others are not tried."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self.source = source
        self.clock = clock
        self.turn = asyncio.Lock()
        self.failure: StorexError | None = None
        """Why the server did not answer."""


class TurnSource:
    """A source for one tool of a round; `seconds` is what its readings took."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.seconds = 0.0

    @property
    def capabilities(self) -> Capabilities | None:
        """Those of the source behind it."""
        return self._turns.source.capabilities

    async def read(self, *statements: Statement) -> ResultSets:
        """See `Source.read`."""
        return await self._in_turn(self._turns.source.read, statements)

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """See `Source.read_anew`."""
        return await self._in_turn(self._turns.source.read_anew, statements)

    async def _in_turn(
        self, read: Callable[..., Awaitable[ResultSets]], statements: tuple[Statement, ...]
    ) -> ResultSets:
        async with self._turns.turn:
            if self._turns.failure is not None:
                raise self._turns.failure
            began = self._turns.clock.monotonic()
            try:
                return await read(*statements)
            except StorexError as error:
                if error.reason not in _OF_THE_CALL:
                    self._turns.failure = error
                raise
            finally:
                self.seconds += self._turns.clock.monotonic() - began
