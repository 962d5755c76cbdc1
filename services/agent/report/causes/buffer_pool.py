"""`innodb.buffer_pool`: what is read all the time does not fit the buffer pool."""

from __future__ import annotations

from services.agent.report.causes.cause import LOW_RISK, MEDIUM_RISK, NO_RISK, Facts, Link, Step, Supporting

_TOOL = "get_buffer_pool"
_VARIABLE = "variable"
_SIZE = "size_bytes"
_DATA = "data_bytes"
_READS = "reads_per_second"
_HITS = "hit_ratio"
_FREE = "pages_free"
_REPLACED = "reads_since_full"
_MIB = 1024 * 1024
_CHUNK = 128 * _MIB
"""The size is a multiple of innodb_buffer_pool_chunk_size, 128 MiB unless it was set."""
_FACTOR, _ROOM = 2, 1.1


class BufferPool:
    """Says how small the pool is for what is read, and how large it may become."""

    kind = "innodb.buffer_pool"
    supporting = (
        Supporting(_TOOL, _VARIABLE, "The variable that sets the pool's size."),
        Supporting(_TOOL, _SIZE, "The pool's size, in bytes."),
        Supporting(_TOOL, _DATA, "The size of all tables and indexes by their stored statistics, in bytes."),
        Supporting(_TOOL, _READS, "Pages a second that statements waited for."),
        Supporting(_TOOL, _HITS, "Share of the page requests that were served from memory."),
        Supporting(_TOOL, _FREE, "Free pages."),
        Supporting(_TOOL, _REPLACED, "How often the pool's whole content was read anew in the sampled time."),
    )

    def summary(self, facts: Facts) -> str:
        """The pool's size against what is read."""
        if not facts.value(_READS):
            return facts.fallback
        return (
            f"What is read does not fit the buffer pool of {_mib(facts.number(_SIZE))}{_of_data(facts)}: "
            f"{facts.number(_READS):,.0f} pages a second come from disk."
        )

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """A small pool → pages pushed out and read again → statements wait for the disk."""
        if not facts.value(_READS):
            return ()
        return (
            Link(
                f"innodb_buffer_pool_size is {_mib(facts.number(_SIZE))}{_of_data(facts)}, and"
                f" {facts.number(_FREE):,.0f} pages are free.",
                (_VARIABLE, _SIZE, _DATA, _FREE),
            ),
            Link(
                "Pages that are needed again are pushed out before: the pool's whole content was read anew "
                f"{facts.number(_REPLACED):.1f} times in the sampled time.",
                (_REPLACED,),
            ),
            Link(
                f"{facts.number(_READS):,.0f} pages a second wait for the disk, {1 - facts.number(_HITS):.1%} of those"
                " asked for.",
                (_READS, _HITS),
            ),
        )

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """See who reads so much, then make the pool larger."""
        size = int(facts.number(_SIZE))
        look = Step(
            "See the pool's size and its upper bound, and the machine's free memory (`free -m` there).",
            NO_RISK,
            "SHOW GLOBAL VARIABLES LIKE 'innodb_buffer_pool_%size%'",
        )
        fewer = Step(
            f"See in `storex diag top_queries {facts.cause.name}` which statements read most rows: an index that lets "
            "them read less may be all that is needed.",
            LOW_RISK,
        )
        if not size:
            return look, fewer
        return (
            look,
            fewer,
            Step(
                "Make the pool larger while the server runs, if the machine has the memory to spare: without it the "
                "machine swaps, which is far worse. MariaDB refuses more than innodb_buffer_pool_size_max, where it "
                "has "
                "that: then set the size in the configuration and restart. Before: note the free memory. After: "
                f"`storex diag buffer_pool {facts.cause.name}` shows fewer reads once the pool has filled; set it in "
                f"the "
                "configuration file too, or a restart takes it back.",
                MEDIUM_RISK,
                f"SET GLOBAL innodb_buffer_pool_size = {_larger(size, int(facts.number(_DATA)))}",
            ),
        )


def _larger(size: int, data: int) -> int:
    """Twice the size, or room for all data where that is less; in whole chunks."""
    wanted = size * _FACTOR
    if data > size:
        wanted = min(wanted, int(data * _ROOM))
    return -(-max(wanted, size + 1) // _CHUNK) * _CHUNK


def _of_data(facts: Facts) -> str:
    larger = facts.number(_DATA) > facts.number(_SIZE)
    return f" for {_mib(facts.number(_DATA))} of data" if larger else ""


def _mib(size: float) -> str:
    return f"{size / _MIB:,.0f} MiB"
