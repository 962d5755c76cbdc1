"""What each client has done since the sampling began, out of counters that end with sessions and with the server.

An engine counts statements for each session and for each account, and forgets a session's when it ends. What an account
did beyond its sessions is that of sessions which came and went between two looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from services.shard.sampler.history import NO_WORK, ClientWork, Owner

Account = tuple[str, str]
"""User and host."""

SLACK_STATEMENTS, SLACK_SHARE = 5.0, 0.05
"""An account may be ahead of its sessions by so much without meaning it: the two are not read at one moment."""
MOST_CLIENTS = 2_000
"""Clients that are kept of one instance; beyond that those without a session go."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One look: who is behind each session, and the engine's counters by session and by account."""

    owners: Mapping[int, Owner]
    sessions: Mapping[int, ClientWork]
    accounts: Mapping[Account, ClientWork]


class ClientMeter:
    """The clients of one instance."""

    def __init__(self) -> None:
        self._totals: dict[Owner, ClientWork] = {}
        self._before: Counted | None = None
        self._owed: dict[Account, ClientWork] = {}
        self._guessed_at: tuple[float, float] | None = None

    def count(self, look: Counted) -> dict[Owner, ClientWork]:
        """The clients' totals after another look; the first one only learns."""
        before, self._before = self._before, look
        self._guessed_at = None
        if before is None:
            return self._with(dict.fromkeys(look.owners.values(), NO_WORK))
        grown: dict[Owner, ClientWork] = {}
        by_account: dict[Account, ClientWork] = {}
        for owner, work in _of_sessions(before, look):
            grown[owner] = grown.get(owner, NO_WORK) + work
            account = owner[:2]
            by_account[account] = by_account.get(account, NO_WORK) + work
        for account, now in look.accounts.items():
            growth = now.since(before.accounts.get(account, NO_WORK))
            owed = self._owed.get(account, NO_WORK) + growth + by_account.get(account, NO_WORK).negative
            paid = owed.beyond(max(SLACK_STATEMENTS, SLACK_SHARE * growth.statements))
            self._owed[account] = owed + paid.negative
            if paid != NO_WORK:
                owner = _who_came_and_went(account, before.owners, look.owners)
                grown[owner] = grown.get(owner, NO_WORK) + paid
        return self._with(grown)

    def guess(
        self, owners: Mapping[int, Owner], active: Collection[int], statements: float, connects: float
    ) -> dict[Owner, ClientWork]:
        """The same where nothing is counted by client: all statements, shared out among the sessions that worked."""
        before, self._guessed_at = self._guessed_at, (statements, connects)
        known, self._before = self._before, Counted(owners, {}, {})
        if before is None or known is None or statements < before[0]:
            return self._with(dict.fromkeys(owners.values(), NO_WORK))
        at_work = [owners[number] for number in active if number in owners]
        share = (statements - before[0]) / len(at_work) if at_work else 0.0
        grown: dict[Owner, ClientWork] = {}
        for owner in at_work:
            grown[owner] = grown.get(owner, NO_WORK) + ClientWork(statements=share)
        for number, owner in owners.items():
            if number not in known.owners:
                grown[owner] = grown.get(owner, NO_WORK) + ClientWork(connects=1.0)
        return self._with(grown)

    def _with(self, grown: Mapping[Owner, ClientWork]) -> dict[Owner, ClientWork]:
        totals = dict(self._totals)
        for owner, work in grown.items():
            totals[owner] = totals.get(owner, NO_WORK) + work
        if len(totals) > MOST_CLIENTS and self._before is not None:
            present = set(self._before.owners.values())
            totals = {owner: work for owner, work in totals.items() if owner in present}
        self._totals = totals
        return totals


def _of_sessions(before: Counted, look: Counted) -> Iterator[tuple[Owner, ClientWork]]:
    for number, owner in look.owners.items():
        now = look.sessions.get(number, NO_WORK)
        if before.owners.get(number) == owner:
            yield owner, now.since(before.sessions.get(number, NO_WORK))
        else:
            yield owner, now + ClientWork(connects=1.0)


def _who_came_and_went(account: Account, before: Mapping[int, Owner], now: Mapping[int, Owner]) -> Owner:
    """The program of the account that opens and closes connections, or its only one; without a name if unknown."""
    changed = {before.get(number) or now[number] for number in before.keys() ^ now.keys()}
    for owners in (changed, {*before.values(), *now.values()}):
        programs = {owner for owner in owners if owner[:2] == account}
        if len(programs) == 1:
            return programs.pop()
    return (*account, "")
