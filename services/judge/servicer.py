"""JudgeService: decode, one call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of
from libs.rpc.call import CallContext, current_call
from services.judge.judging import Evaluator, Judging
from services.judge.reach import Reach
from storex.judge.v1 import judge_pb2
from storex.judge.v1.judge_pb2_grpc import JudgeServiceServicer
from storex.judge.v1.scenario_pb2 import Scenario


class JudgeServicer(JudgeServiceServicer):
    """Serves scenarios, runs and comparisons to whoever the current call belongs to."""

    def __init__(self, judging: Judging, reach_for: Callable[[CallContext], Reach]) -> None:
        self._judging = judging
        self._reach_for = reach_for

    async def PutScenario(
        self, request: judge_pb2.PutScenarioRequest, _context: object
    ) -> judge_pb2.PutScenarioResponse:
        """Keep a scenario."""
        kept = await self._judging.put(request.scenario, self._evaluator())
        return judge_pb2.PutScenarioResponse(scenario=kept)

    async def ListScenarios(
        self, request: judge_pb2.ListScenariosRequest, _context: object
    ) -> judge_pb2.ListScenariosResponse:
        """The scenarios that the caller may see, without their truth."""
        found = await self._judging.scenarios(self._evaluator())
        page, token = page_of(found.scenarios, request.page_size, request.page_token, default=100, largest=1000)
        return judge_pb2.ListScenariosResponse(
            scenarios=map(_without_truth, page), next_page_token=token, undecided_count=found.undecided
        )

    async def RunCandidate(
        self, request: judge_pb2.RunCandidateRequest, _context: object
    ) -> AsyncIterator[judge_pb2.RunCandidateResponse]:
        """How a run goes."""
        async with aclosing(self._judging.run(request, self._evaluator())) as progress:
            async for message in progress:
                yield message

    async def GetRun(self, request: judge_pb2.GetRunRequest, _context: object) -> judge_pb2.GetRunResponse:
        """A run with its outcomes."""
        return judge_pb2.GetRunResponse(run=await self._judging.get(request.run_id, self._evaluator()))

    async def ListRuns(self, request: judge_pb2.ListRunsRequest, _context: object) -> judge_pb2.ListRunsResponse:
        """The caller's runs, newest first."""
        runs = await self._judging.runs(self._evaluator())
        page, token = page_of(runs, request.page_size, request.page_token, default=50, largest=500)
        return judge_pb2.ListRunsResponse(runs=page, next_page_token=token)

    async def CompareRuns(
        self, request: judge_pb2.CompareRunsRequest, _context: object
    ) -> judge_pb2.CompareRunsResponse:
        """Two runs side by side."""
        return judge_pb2.CompareRunsResponse(comparison=await self._judging.compare(request, self._evaluator()))

    def _evaluator(self) -> Evaluator:
        call = current_call()
        if call is None or call.caller is None:
            raise StorexError(Reason.TOKEN_MISSING)
        user = call.caller.user
        return Evaluator(user.subject, self._reach_for(call), tuple(sorted(user.teams)))


def _without_truth(scenario: Scenario) -> Scenario:
    shown = Scenario()
    shown.CopyFrom(scenario)
    shown.ClearField("truth")
    return shown
