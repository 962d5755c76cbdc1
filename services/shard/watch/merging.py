"""Several streams as one, in the order in which their items come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")

_WAITING = 16
"""Items that wait for a slow reader, before the streams themselves do."""


async def merged(streams: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """Every item of all streams; ends when the last of them has ended, and closes them when it is closed.

    Raises what the first stream that fails raises.
    """
    arrived: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue(_WAITING)

    async def pass_on(stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream) as items:
                async for item in items:
                    await arrived.put((item,))
            await arrived.put(None)
        except Exception as error:
            await arrived.put(error)

    tasks = [asyncio.create_task(pass_on(stream)) for stream in streams]
    try:
        going = len(tasks)
        while going:
            found = await arrived.get()
            if found is None:
                going -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
