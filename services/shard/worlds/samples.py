"""The sampler's history as a document and back: shared and repeated parts are written once."""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample, History, StatusSample
from services.shard.worlds.plain import plain, shaped

_BY_HAND = frozenset({"status", "digests"})
"""Fields that are too large to be written as they are."""


def copied(history: History) -> History:
    """The history as it is now: samples never change, but the rings, the mappings and tracked connections do."""
    containers: dict[str, Any] = {}
    for field in fields(history):
        value = getattr(history, field.name)
        if isinstance(value, deque):
            containers[field.name] = deque(value)
        elif isinstance(value, dict):
            containers[field.name] = {key: replace(below) for key, below in value.items()}
    return replace(history, **containers)


def document_of(history: History) -> dict[str, Any]:
    """The history as plain values, by field."""
    names = list(dict.fromkeys(name for sample in history.status for name in sample.values))
    return {
        **{field.name: plain(getattr(history, field.name)) for field in fields(history) if field.name not in _BY_HAND},
        "status": {
            "names": names,
            "samples": [[sample.at, [sample.values.get(name) for name in names]] for sample in history.status],
        },
        "digests": _digests(history.digests),
    }


def history_of(document: Mapping[str, Any]) -> History:
    """The history of a document; fields that it does not have are empty."""
    kinds, names = typing.get_type_hints(History), document["status"]["names"]
    known = {name: shaped(kind, document[name]) for name, kind in kinds.items() if name in document.keys() - _BY_HAND}
    return History(
        **known,
        status=deque(
            StatusSample(at, {name: value for name, value in zip(names, values, strict=True) if value is not None})
            for at, values in document["status"]["samples"]
        ),
        digests=deque(_digest_samples(document["digests"])),
    )


def _digests(samples: Iterable[DigestSample]) -> dict[str, Any]:
    """Of each sample what differs from the one before: most statements of a server rest."""
    numbers: dict[DigestKey, int] = {}
    written = []
    before: Mapping[DigestKey, DigestCounters] = {}
    for sample in samples:
        counters = sample.counters
        changed = [
            [numbers.setdefault(key, len(numbers)), *now]
            for key, now in counters.items()
            if (then := before.get(key)) is not now and then != now
        ]
        entry: dict[str, Any] = {"at": sample.at, "changed": changed}
        gone = [numbers[key] for key in before if key not in counters]
        if gone:
            entry["gone"] = gone
        if not _in_order(before, counters):
            # What comes first among equals is decided by the order.
            entry["order"] = [numbers[key] for key in counters]
        written.append(entry)
        before = counters
    return {"keys": [list(key) for key in numbers], "samples": written}


def _in_order(before: Mapping[DigestKey, DigestCounters], now: Mapping[DigestKey, DigestCounters]) -> bool:
    kept = [key for key in before if key in now]
    return list(now)[: len(kept)] == kept


def _digest_samples(document: Mapping[str, Any]) -> Iterable[DigestSample]:
    keys: list[DigestKey] = [(schema, digest) for schema, digest in document["keys"]]
    before: dict[DigestKey, DigestCounters] = {}
    for entry in document["samples"]:
        counters = dict(before)
        counters |= {keys[number]: tuple(now) for number, *now in entry["changed"]}
        for number in entry.get("gone", ()):
            del counters[keys[number]]
        if "order" in entry:
            counters = {keys[number]: counters[keys[number]] for number in entry["order"]}
        yield DigestSample(entry["at"], counters)
        before = counters
