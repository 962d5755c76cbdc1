"""A source for several collectors that look at one moment: what they all read is read once."""

from __future__ import annotations

import asyncio

from services.shard.mysql.features import Capabilities
from services.shard.mysql.source import ResultSets, Source
from services.shard.mysql.statements import SHAREABLE, Statement


class SharedSource:
    """Another source for as long as one look takes: a statement of `SHAREABLE` is sent to it once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._readings: dict[Statement, asyncio.Task[ResultSets]] = {}

    @property
    def capabilities(self) -> Capabilities | None:
        """Those of the source behind it."""
        return self._source.capabilities

    async def read(self, *statements: Statement) -> ResultSets:
        """See `Source.read`; what another collector has read, or is reading, is not read again."""
        new = [statement for statement in statements if statement not in self._readings]
        readings: list[asyncio.Task[ResultSets]] = []
        if new:
            reading = asyncio.ensure_future(self._source.read(*new))
            self._readings |= {statement: reading for statement in new if statement in SHAREABLE}
            readings.append(reading)
        readings += [self._readings[statement] for statement in statements if statement in self._readings]
        return ResultSets.together([await reading for reading in dict.fromkeys(readings)], statements)

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """See `Source.read_anew`; nothing of it is shared."""
        return await self._source.read_anew(*statements)
