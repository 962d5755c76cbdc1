"""A process that records like a shard, and tells each sample once it is kept, until it is killed."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from libs.core.clock import SystemClock
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Change, Sample
from services.shard.stores.sqlite import open_sqlite

NAME = "regions/eu/instances/orders-1"


async def main(path: Path) -> None:
    """Record numbered samples, with a change beside each; print the number of the last one that is in the store."""
    archive = Archive(lambda: open_sqlite(path), SystemClock())
    archive.start()
    number, start = 0, time.time() // 1
    while True:
        number += 1
        change = Change(start + number, "deploy", {"service": f"s{number}", "version": "", "note": ""})
        archive.put(Batch(NAME, samples=(Sample(start + number, {"number": float(number)}),), changes=(change,)))
        if number % 10 == 0:
            kept = await archive.ask(lambda store: store.span(NAME))
            if kept is not None:
                print(int(kept[1] - start), flush=True)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
