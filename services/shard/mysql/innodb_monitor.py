"""Reads the InnoDB monitor's text into plain values; what it does not recognise it leaves alone.

The text quotes statements and rows, so that nothing of it but numbers, names and parsed parts is handed on, and
statements are put on one line each before anything is read (see `quoted_statements`). Source:
storage/innobase/srv/srv0srv.cc and lock/lock0lock.cc of both engines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.shard.mysql.quoted_statements import without_quoted_lines

_SECTION = re.compile(r"^-{3,}\n([A-Z][A-Z /]+)\n-{3,}\n", re.MULTILINE)
_STAMP = r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)"
_HEADER = re.compile(_STAMP + r"\S* \S+ INNODB MONITOR OUTPUT")
_DETECTED = re.compile(r"\s*" + _STAMP)
_PARTY = re.compile(r"^\*\*\* \((\d+)\) TRANSACTION:$", re.MULTILINE)
_ROLLED_BACK = re.compile(r"^\*\*\* WE ROLL BACK TRANSACTION \((\d+)\)$", re.MULTILINE)
_THREAD = re.compile(r"^(?:MySQL|MariaDB) thread id (\d+), OS thread handle \S+, query id \d+ ?(.*)$", re.MULTILINE)
_WAITING = re.compile(r"WAITING FOR THIS LOCK TO BE GRANTED:\n(?:RECORD|TABLE) LOCKS? ?(.*)$", re.MULTILINE)
_INDEX = re.compile(r"\bindex `?([^`\s]+)`? of table\b")
_TABLE = re.compile(r"\btable `((?:[^`]|``)+)`\.`((?:[^`]|``)+)`")
_MODE = re.compile(r"\block[_ ]mode ([A-Z_-]+(?:,[A-Z_]+)*)")
_ADDRESS = re.compile(r"[0-9a-fA-F]*[.:][0-9a-fA-F.:]+")
_RATES = re.compile(r"^([\d.]+) inserts/s, ([\d.]+) updates/s, ([\d.]+) deletes/s, ([\d.]+) reads/s$", re.MULTILINE)

_NUMBERS: dict[str, tuple[str, re.Pattern[str]]] = {
    "history_list_length": ("TRANSACTIONS", re.compile(r"^History list length (\d+)$", re.MULTILINE)),
    "log_sequence_number": ("LOG", re.compile(r"^Log sequence number\s+(\d+)$", re.MULTILINE)),
    "last_checkpoint": ("LOG", re.compile(r"^Last checkpoint at\s+(\d+)$", re.MULTILINE)),
    "buffer_pool_pages": ("BUFFER POOL AND MEMORY", re.compile(r"^Buffer pool size\s+(\d+)$", re.MULTILINE)),
    "free_pages": ("BUFFER POOL AND MEMORY", re.compile(r"^Free buffers\s+(\d+)$", re.MULTILINE)),
    "dirty_pages": ("BUFFER POOL AND MEMORY", re.compile(r"^Modified db pages\s+(\d+)$", re.MULTILINE)),
    "pending_reads": ("BUFFER POOL AND MEMORY", re.compile(r"^Pending reads\s+(\d+)$", re.MULTILINE)),
    "queries_inside": ("ROW OPERATIONS", re.compile(r"^(\d+) queries inside InnoDB", re.MULTILINE)),
    "queries_queued": ("ROW OPERATIONS", re.compile(r", (\d+) queries in queue$", re.MULTILINE)),
    "read_views": ("ROW OPERATIONS", re.compile(r"^(\d+) read views open inside InnoDB", re.MULTILINE)),
}


@dataclass(frozen=True, slots=True)
class DeadlockParty:
    """One side of the last deadlock; `sql` is raw text and must not leave as it is."""

    connection_id: int
    user: str
    host: str
    sql: str
    waiting_table: str
    waiting_index: str
    waiting_mode: str


@dataclass(frozen=True, slots=True)
class LastDeadlock:
    """The last deadlock; `age_seconds` is None where the monitor does not date it."""

    age_seconds: float | None
    parties: tuple[DeadlockParty, ...]
    victim: int
    """Position of the one rolled back, -1 when not known."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """The monitor's figures by the field names of GetInnodbStatusResponse; missing ones are not there."""

    numbers: Mapping[str, float]
    active_transactions: int
    deadlock: LastDeadlock | None


def parse_monitor(text: str) -> Monitor:
    """Parse the text of SHOW ENGINE INNODB STATUS."""
    text = without_quoted_lines(text)
    sections = _sections(text)
    numbers: dict[str, float] = {}
    for name, (section, pattern) in _NUMBERS.items():
        found = pattern.search(sections.get(section, ""))
        if found:
            numbers[name] = int(found[1])
    rates = _RATES.search(sections.get("ROW OPERATIONS", ""))
    words = ("inserts_per_second", "updates_per_second", "deletes_per_second", "reads_per_second")
    if rates:
        numbers |= dict(zip(words, map(float, rates.groups()), strict=True))
    deadlock = sections.get("LATEST DETECTED DEADLOCK")
    return Monitor(
        numbers=numbers,
        active_transactions=len(
            re.findall(r"^---TRANSACTION \d+, ACTIVE", sections.get("TRANSACTIONS", ""), re.MULTILINE)
        ),
        deadlock=_deadlock(deadlock, _HEADER.search(text)) if deadlock else None,
    )


def _sections(text: str) -> dict[str, str]:
    """The body of each section. Quoted text stands before the later sections, so that the last of a name is real."""
    marks = list(_SECTION.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return {mark[1]: text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def _deadlock(section: str, header: re.Match[str] | None) -> LastDeadlock:
    marks = list(_PARTY.finditer(section))
    ends = [mark.start() for mark in marks[1:]] + [len(section)]
    parties = tuple(_party(section[mark.end() : end]) for mark, end in zip(marks, ends, strict=True))
    rolled_back = _ROLLED_BACK.findall(section)
    victim = int(rolled_back[-1]) - 1 if rolled_back else -1
    return LastDeadlock(_age(section, header), parties, victim if victim < len(parties) else -1)


def _age(section: str, header: re.Match[str] | None) -> float | None:
    """Both times are the server's local ones, so that only their distance means anything."""
    detected = _DETECTED.match(section)
    if detected is None or header is None:
        return None
    printed, then = (datetime.fromisoformat(stamp.replace("T", " ")) for stamp in (header[1], detected[1]))
    return max(0.0, (printed - then).total_seconds())


def _party(block: str) -> DeadlockParty:
    thread = _THREAD.search(block)
    waiting = _WAITING.findall(block)
    lock = waiting[-1] if waiting else ""
    table, index, mode = _TABLE.search(lock), _INDEX.search(lock), _MODE.search(lock)
    host, user = _account(thread[2]) if thread else ("", "")
    return DeadlockParty(
        connection_id=int(thread[1]) if thread else 0,
        user=user,
        host=host,
        sql=block[thread.end() :].partition("\n***")[0].strip() if thread else "",
        waiting_table=".".join(part.replace("``", "`") for part in table.groups()) if table else "",
        waiting_index=index[1] if index else "",
        waiting_mode=mode[1] if mode else "",
    )


def _account(words: str) -> tuple[str, str]:
    """Host and user out of `[host] [address] user state`."""
    parts = words.split(" ")
    at = next((place for place, part in enumerate(parts[:2]) if _ADDRESS.fullmatch(part)), None)
    if at is None:
        return (parts[0], parts[1]) if len(parts) > 1 else ("", "")
    return parts[at], parts[at + 1] if len(parts) > at + 1 else ""
