"""Rows of a replica's status under one set of names, whatever the engine calls the two sides."""

from __future__ import annotations

from collections.abc import Iterable

from services.shard.mysql.connection import Row
from services.shard.view import real


def current_names(row: Row) -> Row:
    """The row with `replica` and `source` in its names, as MySQL has had them since 8.0.22."""
    return {name.replace("slave", "replica").replace("master", "source"): value for name, value in row.items()}


def lag_of(row: Row) -> float | None:
    """How far a channel is behind, in seconds, from a row with current names; None where the server does not know."""
    behind = row.get("seconds_behind_source")
    return None if behind is None else max(0.0, real(behind))


def replica_lags(rows: Iterable[Row]) -> list[float]:
    """The lags of all channels that know theirs."""
    return [lag for row in rows if (lag := lag_of(current_names(row))) is not None]
