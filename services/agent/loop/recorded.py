"""Recorded answers as the calls that they came from."""

from __future__ import annotations

import json
from collections.abc import Iterable

from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.records import Record, status_of


def recorded_outcomes(records: Iterable[Record]) -> list[tuple[dict[str, object], CallOutcome]]:
    """Each call with its settled arguments, in the order of the records; records without arguments tell of no call."""
    calls: dict[str, list[Record]] = {}
    for record in records:
        if record.arguments:
            calls.setdefault(record.call_id, []).append(record)
    return [(json.loads(found[0].arguments), _outcome(found)) for found in calls.values()]


def highest_number(records: Iterable[Record]) -> int:
    """The highest number of a call's id, `call_{turn}_{number}`; 0 for none."""
    numbers = (record.call_id.rpartition("_")[2] for record in records)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _outcome(records: list[Record]) -> CallOutcome:
    first = records[0]
    request = ToolRequest(first.tool, json.loads(first.arguments))
    return CallOutcome(request, first.call_id, status_of(records), tuple(records), first.problem)
