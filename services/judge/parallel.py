"""Work of which several pieces are done at a time, and told as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


async def as_they_come(
    pieces: Iterable[Piece], work: Callable[[Piece], Awaitable[Result]], parallel: int
) -> AsyncGenerator[Result, None]:
    """The results in the order in which they are ready. Ending the iteration cancels what is under way."""
    waiting = iter(list(pieces))
    finished: asyncio.Queue[tuple[Result] | None] = asyncio.Queue()

    async def go_through() -> None:
        try:
            for piece in waiting:
                await finished.put((await work(piece),))
        finally:
            finished.put_nowait(None)

    workers = [asyncio.create_task(go_through()) for _ in range(parallel)]
    try:
        working = parallel
        while working:
            result = await finished.get()
            if result is None:
                working -= 1
            else:
                yield result[0]
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
