"""Threads that do something until a test has seen enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Work = Callable[[threading.Event], None]
"""What a thread does until the event is set."""


@contextmanager
def at_work(work: Work, number: int = 1) -> Iterator[None]:
    """So many threads at the same work for as long as it takes; a failure stops them too."""
    stopping = threading.Event()
    threads = [threading.Thread(target=work, args=(stopping,)) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
