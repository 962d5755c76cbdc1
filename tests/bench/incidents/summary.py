"""What many cells come to, with intervals."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import sqrt

from tests.bench.incidents.cells import WITH_HOLDER, Cell
from tests.bench.rows import Row, percentile

AIM_SECONDS = 3.0
_Z = 1.96
"""The normal quantile of a 95 % interval."""
_RESAMPLES = 2000


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson; 0 to 1 for no trials."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, _Z * _Z / of
    middle = share + spread / 2
    half = _Z * sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def bootstrap(values: Sequence[float], share: float) -> tuple[float, float]:
    """The 95 % interval of a quantile, by resampling; always the same for the same values."""
    source = random.Random(len(values))
    drawn = [percentile(source.choices(values, k=len(values)), share) for _ in range(_RESAMPLES)]
    return percentile(drawn, 0.025), percentile(drawn, 0.975)


def has_holder(cell: Cell) -> bool:
    """Whether somebody must be named rightly for it: a holder of locks, a channel of replication."""
    return cell.incident.startswith(WITH_HOLDER)


def rows_of(cells: Sequence[Cell]) -> list[Row]:
    """The measures of all cells that could be brought about, then those of each engine."""
    made = [cell for cell in cells if not cell.unmade]
    engines = sorted({cell.engine for cell in made})
    rows = _measures("incidents", made)
    for engine in engines if len(engines) > 1 else ():
        rows += _measures(f"incidents.{engine}", [cell for cell in made if cell.engine == engine])
    return rows


def _measures(name: str, cells: Sequence[Cell]) -> list[Row]:
    if not cells:
        return []
    faults = [cell for cell in cells if not cell.is_control]
    controls = [cell for cell in cells if cell.is_control]
    held = [cell for cell in faults if has_holder(cell)]
    seconds = [cell.seconds for cell in cells]
    low, high = bootstrap(seconds, 0.5)
    return [
        *_share(f"{name}.exact", [cell.exact for cell in faults]),
        *_share(f"{name}.entities_right", [cell.exact and not cell.wrong for cell in faults]),
        *_share(f"{name}.holder_right", [not cell.wrong for cell in held]),
        *_share(f"{name}.controls_silent", [cell.silent for cell in controls]),
        Row(f"{name}.unsupported_claims", sum(len(cell.unsupported) for cell in cells), "claims"),
        Row(f"{name}.claims_checked", sum(cell.claims for cell in cells), "claims"),
        Row(f"{name}.wrongly_confirmed", sum(cell.wrongly_confirmed for cell in cells), "reports"),
        Row(f"{name}.seconds.p50", percentile(seconds, 0.5), "s", AIM_SECONDS),
        Row(f"{name}.seconds.p50.low", low, "s", AIM_SECONDS),
        Row(f"{name}.seconds.p50.high", high, "s", AIM_SECONDS),
        Row(f"{name}.seconds.p95", percentile(seconds, 0.95), "s", AIM_SECONDS),
        Row(f"{name}.tool_calls.p50", percentile([float(cell.tool_calls) for cell in cells], 0.5), "calls"),
    ]


def _share(name: str, outcomes: Sequence[bool]) -> list[Row]:
    """How many of how many, and the ends of the interval of the share."""
    if not outcomes:
        return []
    low, high = wilson(sum(outcomes), len(outcomes))
    return [
        Row(name, sum(outcomes), "cells", len(outcomes)),
        Row(f"{name}.low", low, "share", 1.0),
        Row(f"{name}.high", high, "share", 1.0),
    ]
