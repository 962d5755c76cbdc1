"""Many questions at once, again and again: each gets its report, and the process does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.agent import ANSWERS
from tests.bench.agent_memory import agent_process, rounds, slope
from tests.integration.agent.scripted import serving

WARM_UP, ROUNDS = 4, 6
GROWTH_KIB = 600.0
"""Most that a round of fifty may add: what an allocator keeps, and not fifty investigations."""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_memory_stays_flat_under_fifty_questions_at_once(tmp_path: Path) -> None:
    async with serving() as coordinator:
        coordinator.answers.update(ANSWERS)
        async with agent_process(tmp_path, coordinator) as agent:
            await rounds(agent, WARM_UP)
            held, _ = await rounds(agent, ROUNDS)
    assert slope(held) / 1024 < GROWTH_KIB, held
