"""How much one question may cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_KEPT_STEPS, _KEPT_CALLS = 3, 8
"""Steps and calls that a model may not use; at most a quarter of the limits."""
_FLEET_SECONDS = 30.0
"""For tools that ask every region, the slowest of which decides."""


def _default_tool_seconds() -> Mapping[str, float]:
    return {"stream_health": _FLEET_SECONDS}


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """Limits of one question. Times in seconds; `cost` in the currency of the price table, 0 for no limit."""

    steps: int = 12
    tool_calls: int = 40
    calls_at_once: int = 8
    tokens: int = 200_000
    cost: float = 0.0
    wall_seconds: float = 90.0
    model_seconds: float = 30.0
    """The deadline of one turn of a model; an endpoint may have a shorter one of its own."""
    tool_seconds: float = 15.0
    tools: Mapping[str, float] = field(default_factory=_default_tool_seconds)
    """Deadlines of tools that differ from `tool_seconds`."""
    longest_retry_seconds: float = 2.0
    """A failed call is tried once more when its own error says that this helps within that time."""
    fresh_seconds: float = 60.0
    """How old an answer may be for a question that was cut short to go on with."""

    def seconds_for(self, tool: str) -> float:
        """The deadline of one call."""
        return self.tools.get(tool, self.tool_seconds)


@dataclass(slots=True)
class Budget:
    """What is left of the limits; `deadline` is in seconds of the monotonic clock that `monotonic` reads."""

    limits: LoopLimits
    monotonic: Callable[[], float]
    deadline: float
    steps: int = 0
    tool_calls: int = 0
    started: float = field(init=False)
    holds_back: bool = False
    """Whether a part is kept for `builtin`, which looks for itself when a model has written or failed."""

    def __post_init__(self) -> None:
        self.started = self.monotonic()

    @property
    def remaining_seconds(self) -> float:
        """Wall time left, never negative."""
        return max(0.0, self.deadline - self.monotonic())

    @property
    def wall_seconds(self) -> float:
        """Wall time spent."""
        return self.monotonic() - self.started

    @property
    def most_steps(self) -> int:
        """Steps that may be taken now."""
        return self.limits.steps - self._kept(self.limits.steps, _KEPT_STEPS)

    @property
    def most_calls(self) -> int:
        """Tool calls that may be made now."""
        return self.limits.tool_calls - self._kept(self.limits.tool_calls, _KEPT_CALLS)

    def _kept(self, limit: int, most: int) -> int:
        return min(most, limit // 4) if self.holds_back else 0

    def spent(self, tokens: int, cost: float = 0.0) -> str:
        """Which limit is used up, as a sentence, or empty."""
        if self.steps >= self.most_steps:
            return f"The limit of {self.most_steps} steps was reached."
        if self.tool_calls >= self.most_calls:
            return f"The limit of {self.most_calls} tool calls was reached."
        if tokens >= self.limits.tokens:
            return f"The limit of {self.limits.tokens} tokens was reached."
        if self.limits.cost and cost >= self.limits.cost:
            return f"The limit of {self.limits.cost:g} for what models may cost was reached."
        if self.remaining_seconds <= 0:
            return "The time for this question was used up."
        return ""
