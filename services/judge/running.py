"""Goes through what a run still lacks, several at a time; each outcome is on the disk before it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping

from services.judge.reach import Reach
from services.judge.replay import replay
from services.judge.store import JudgeStore
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario

Unit = tuple[str, int]
"""A scenario's id and a repeat."""


def missing(run: Run) -> Iterator[Unit]:
    """What has not been scored yet, scenario by scenario; failures of the harness are tried again."""
    done = {
        (outcome.scenario_id, outcome.repeat) for outcome in run.outcomes if outcome.status == OUTCOME_STATUS_SCORED
    }
    for scenario_id in run.scenario_ids:
        for repeat in range(run.repeats):
            if (scenario_id, repeat) not in done:
                yield scenario_id, repeat


async def carry_on(
    run: Run, scenarios: Mapping[str, Scenario], reach: Reach, store: JudgeStore, parallel: int
) -> AsyncGenerator[Outcome, None]:
    """The outcomes that were missing, as they come. Ending the iteration cancels what is under way.

    `scenarios` are those of the run that whoever evaluates may see now; the others stay missing.
    """
    waiting = iter([unit for unit in missing(run) if unit[0] in scenarios])
    finished: asyncio.Queue[Outcome | None] = asyncio.Queue()

    async def work() -> None:
        try:
            for scenario_id, repeat in waiting:
                outcome = await replay(scenarios[scenario_id], run.candidate, repeat, reach)
                await store.keep(run.run_id, outcome)
                await finished.put(outcome)
        finally:
            finished.put_nowait(None)

    workers = [asyncio.create_task(work()) for _ in range(parallel)]
    try:
        working = parallel
        while working:
            outcome = await finished.get()
            if outcome is None:
                working -= 1
            else:
                yield outcome
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
