"""What people and teams may spend on models in a day, UTC; counted by the ledger, so that a restart forgets nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.config import ModelBudget, ModelBudgets
from libs.core.clock import Clock
from libs.llm.conversation import BudgetSpentError
from libs.llm.ledger import Ledger, Spent, Who

DAY_SECONDS = 86400.0


class DailyBudgets:
    """Lets calls through while the budgets of the person and of each of their teams last.

    What calls under way may still cost is held back, so that many at once do not overspend.
    """

    def __init__(self, budgets: ModelBudgets, ledger: Ledger, clock: Clock, currency: str) -> None:
        self._budgets = budgets
        self._ledger = ledger
        self._clock = clock
        self._currency = currency
        self._held: defaultdict[str, list[Spent]] = defaultdict(list)

    @asynccontextmanager
    async def held(self, who: Who, expected: Spent) -> AsyncIterator[None]:
        """Hold back what a call is expected to take, as long as it lasts. Raises BudgetSpentError."""
        keys = [who.subject, *(f"team:{team}" for team in who.teams)]
        for key in keys:
            self._held[key].append(expected)
        try:
            await self._check(who)
            yield
        finally:
            for key in keys:
                self._held[key].remove(expected)
                if not self._held[key]:
                    del self._held[key]

    async def _check(self, who: Who) -> None:
        now = self._clock.now()
        since = now - now % DAY_SECONDS
        name = who.subject.partition(":")[2]
        own = self._budgets.users.get(name, self._budgets.user)
        if own != ModelBudget():
            self._compare(own, await self._ledger.spent_by_subject(who.subject, since), who.subject, "Your budget")
        for team in who.teams:
            budget = self._budgets.teams.get(team, self._budgets.team)
            if budget != ModelBudget():
                spent = await self._ledger.spent_by_team(team, since)
                self._compare(budget, spent, f"team:{team}", f"The budget of the team {team}")

    def _compare(self, budget: ModelBudget, spent: Spent, key: str, whose: str) -> None:
        tokens = spent.tokens + sum(held.tokens for held in self._held[key])
        cost = spent.cost + sum(held.cost for held in self._held[key])
        if budget.tokens is not None and tokens > budget.tokens:
            used = f"{spent.tokens} of {budget.tokens} tokens are used"
        elif budget.cost is not None and cost > budget.cost:
            used = f"{spent.cost:.2f} of {budget.cost:.2f} {self._currency} are used"
        else:
            return
        raise BudgetSpentError(f"{whose} for models does not allow more today: {used}; it renews at 00:00 UTC.")
