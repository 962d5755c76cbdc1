"""`innodb.buffer_pool`: what is read all the time does not fit the buffer pool, and comes from disk again and again.

A cold pool reads as much while it fills, and a scan reads ahead; neither replaces the pool's content over and over.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, innodb_pb2

KIND = "innodb.buffer_pool"
TOOL = "get_buffer_pool"

READS = 100.0
"""Pages a second that statements wait for, below which the disk hardly notices."""
MISSES = 0.005
"""Share of the page requests that go to disk."""
FREE, KEPT_FREE = 0.25, 2_048
"""Share of free pages from which there is room; some are always kept free for the next readers."""
TIMES_REPLACED = 3.0
"""How often the whole content was read anew over the sampled time: to fill the pool takes once."""
MOSTLY_SCANS = 3.0
"""So many pages read ahead for each one waited for: a scan."""
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """One finding at most."""
    answer = readings.answer(TOOL, innodb_pb2.GetBufferPoolResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The buffer pool could not be read.")
    if not answer.window_seconds:
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    if not _is_too_small(answer):
        again = LOOK_AGAIN if _misses(answer) and answer.reads_since_full < TIMES_REPLACED else 0.0
        return Detection(reason=_clear(answer), look_again=again)
    return Detection((_finding(answer, readings),))


def _misses(answer: innodb_pb2.GetBufferPoolResponse) -> bool:
    return (
        answer.reads_per_second >= READS
        and answer.reads_per_second >= MISSES * answer.requests_per_second
        and answer.pages_free <= max(FREE * answer.pages_total, KEPT_FREE)
        and answer.read_ahead_per_second <= MOSTLY_SCANS * answer.reads_per_second
    )


def _is_too_small(answer: innodb_pb2.GetBufferPoolResponse) -> bool:
    return _misses(answer) and answer.reads_since_full >= TIMES_REPLACED


def _clear(answer: innodb_pb2.GetBufferPoolResponse) -> str:
    return (
        f"{answer.hit_ratio:.1%} of the page requests are served from memory, {answer.reads_per_second:.0f} a second"
        f" wait for the disk, and {answer.pages_free} of {answer.pages_total} pages are free."
    )


def _finding(answer: innodb_pb2.GetBufferPoolResponse, readings: Readings) -> finding_pb2.Finding:
    # The stored statistics of new tables lag behind: a smaller figure says nothing.
    larger = answer.data_bytes > answer.size_bytes
    data = f" for {answer.data_bytes / 2**20:.0f} MiB of data" if larger else ""
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9 if larger else 0.8,
        summary=(
            f"The buffer pool has {answer.size_bytes / 2**20:.0f} MiB{data}: {answer.reads_per_second:.0f} pages a"
            f" second are read from disk, {1 - answer.hit_ratio:.1%} of those asked for."
        ),
        entities=[entity(CAUSE, "variable", answer.variable)],
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("variable", "The variable that sets the pool's size."),
                ("size_bytes", "The pool's size, in bytes."),
                ("data_bytes", "The size of all tables and indexes, in bytes."),
                ("reads_per_second", "Pages a second that statements waited for."),
                ("hit_ratio", "Share of the page requests served from memory."),
                ("pages_free", "Free pages."),
                ("reads_since_full", "How often the whole content was read anew."),
            )
        ],
        impact=1.0 - answer.hit_ratio,
    )
    changed = readings.changed_at(answer.variable)
    if changed is not None:
        finding.onset.CopyFrom(timestamp(changed))
    return finding
