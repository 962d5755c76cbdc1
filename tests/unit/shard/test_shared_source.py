"""Collectors that look at one moment share what they read."""

from __future__ import annotations

import asyncio

from services.shard.mysql.features import Capabilities
from services.shard.mysql.shared import SharedSource
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement


class Counting:
    """Answers each reading with a row that numbers it."""

    def __init__(self) -> None:
        self.sent: list[Statement] = []
        self.capabilities = Capabilities("MariaDB", "10.11.6", frozenset())

    async def read(self, *statements: Statement) -> ResultSets:
        self.sent += statements
        await asyncio.sleep(0)
        return ResultSets(self.capabilities, {one: [{"n": len(self.sent)}] for one in statements}, {})

    async def read_anew(self, *statements: Statement) -> ResultSets:
        return await self.read(*statements)


async def test_what_several_ask_for_at_once_is_read_once_and_what_must_be_fresh_each_time() -> None:
    source = Counting()
    shared = SharedSource(source)
    one, other = await asyncio.gather(
        shared.read(Statement.GLOBAL_STATUS, Statement.DIGESTS), shared.read(Statement.DIGESTS, Statement.GLOBAL_STATUS)
    )
    assert one.rows(Statement.GLOBAL_STATUS) == other.rows(Statement.GLOBAL_STATUS)
    assert source.sent.count(Statement.GLOBAL_STATUS) == 1
    assert source.sent.count(Statement.DIGESTS) == 2
    third = await shared.read(Statement.GLOBAL_STATUS)
    assert third.rows(Statement.GLOBAL_STATUS) == one.rows(Statement.GLOBAL_STATUS)
    assert not third.has(Statement.DIGESTS)
