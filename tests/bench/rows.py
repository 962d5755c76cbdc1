"""The row that every measure prints, and the statistics that make one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """Which incidents (by id) and which kinds of engine a bench that knows of them runs; all, where none is named."""

    incidents: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: a value with its unit, the baseline of the same run in the same unit, and value over baseline."""

    name: str
    value: float
    unit: str
    baseline: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over baseline; None where there is no baseline or it is zero."""
        return self.value / self.baseline if self.baseline else None

    def as_dict(self) -> dict[str, object]:
        """The row as bench/results.jsonl holds it."""
        return {**asdict(self), "ratio": self.ratio}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
