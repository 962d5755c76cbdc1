"""What a fact is, and what those who state facts are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.agent.records import Record, Records
from services.agent.report.matching import Citation, cite
from services.agent.timestamps import epoch_seconds

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence, and the recorded values that it is made of, each with what it shows (without principals)."""

    text: str
    cited: tuple[tuple[Citation, str], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The records that facts are stated from, newest answers first asked; `start` and `end` in epoch seconds."""

    records: Records
    start: float
    end: float

    def answers(self, tool: str, kind: type[M]) -> Iterator[tuple[Record, M]]:
        """The newest answer of a tool about each resource, in order of first use."""
        names = dict.fromkeys(record.name for record in self.records if record.tool == tool)
        for name in names:
            record = self.records.latest(tool, name)
            if record is not None and isinstance(record.message, kind):
                yield record, record.message


def stated(text: str, record: Record, *paths: tuple[str, str]) -> Fact:
    """A fact with the values at these paths of a record; what is unset there is not cited."""
    found = ((cite(record, path, path), statement) for path, statement in paths)
    return Fact(text, tuple((citation, statement) for citation, statement in found if citation is not None))


def utc(stamp: Timestamp | float) -> str:
    """A moment as reports print it: `2026-11-22 02:30:00 UTC`."""
    seconds = epoch_seconds(stamp) if isinstance(stamp, Timestamp) else stamp
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def figure(value: float) -> str:
    """A measured value with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def place(record: Record, seen: Seen) -> str:
    """` on NAME` where several instances were read, else nothing."""
    names = {other.name for other in seen.records if other.tool == record.tool and other.message is not None}
    return f" on {record.name}" if len(names) > 1 else ""
