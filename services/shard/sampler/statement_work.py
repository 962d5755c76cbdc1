"""What statements did between two samples of their counters, and which of them are new or have stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.differences import STATEMENT_NEW, STATEMENT_VANISHED
from services.shard.sampler.history import DigestSample
from services.shard.stores.records import Change, Content, Counters, SeenStatement, StatementKey, Work
from services.shard.work.statement_texts import StatementTexts
from services.shard.work.system_statements import is_system

PIECE_SECONDS = 10.0
"""Shortest time that one piece of work spans."""
LONGEST_PIECE = 900.0
"""Over more time than this nobody can say when the work was done, in seconds."""
MOST_IN_PIECE = 500
"""Statements of one piece, those that took most time."""
REGULAR_PIECES = 30
"""A statement that worked in so many pieces is a regular one: it is worth telling when it stops."""
AWAY_SECONDS = 600.0
"""A regular statement that did nothing for so long has vanished."""
NEW_AN_HOUR = 100
"""New statements that are told in an hour: statements made by hand or by generators are new all day."""
_REFRESH_SECONDS = 600.0
"""How often the store is told that a statement is still seen."""
_CALLS, _TIME = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("total_picoseconds")


@dataclass(slots=True)
class _Habit:
    pieces: int
    last_worked: float
    stored: float
    first_seen: float


class StatementWork:
    """The statements of one instance."""

    def __init__(self, texts: StatementTexts, known: Mapping[StatementKey, SeenStatement]) -> None:
        """`known` are those that the store knows."""
        self._texts = texts
        self._before: DigestSample | None = None
        self._habits = {key: _Habit(0, seen.last_seen, seen.last_seen, seen.first_seen) for key, seen in known.items()}
        self._there_at_first: frozenset[StatementKey] = frozenset()
        self._told: list[float] = []
        self._started = False

    def begin_again(self) -> None:
        """The server was restarted: its counters say nothing about before."""
        self._before = None

    def next(self, sample: DigestSample, at: float) -> tuple[Work | None, list[SeenStatement], list[Change]]:
        """The work since the last piece if it is time for one; `at` is the sample's date.

        With it come the statements to be remembered, and the new and vanished ones.
        """
        before = self._before
        if before is None or sample.at - before.at > LONGEST_PIECE:
            self._before = sample
            if not self._started:
                self._there_at_first, self._started = frozenset(sample.counters), True
            return None, [], []
        seconds = sample.at - before.at
        if seconds < PIECE_SECONDS:
            return None, [], []
        self._before = sample
        done = self._done(before, sample)
        new = [Change(at, STATEMENT_NEW, _content(key)) for key in done if self._is_new(key) and self._may_tell(at)]
        seen = list(self._remember(done, at))
        return Work(at, seconds, done), seen, [*new, *self._vanished(at)]

    def _done(self, before: DigestSample, sample: DigestSample) -> dict[StatementKey, Counters]:
        done = {}
        for key, now in sample.counters.items():
            then = before.counters.get(key)
            if then is now or now == then:
                continue
            if then is None or now[_CALLS] < then[_CALLS]:  # first seen, or reset in between
                then = (0,) * len(now)
            grown = tuple(max(0, a - b) for a, b in zip(now, then, strict=True))
            if grown[_CALLS] > 0 and self._is_of_an_application(key):
                done[key] = grown
        largest = sorted(done, key=lambda key: done[key][_TIME], reverse=True)[:MOST_IN_PIECE]
        return {key: done[key] for key in largest}

    def _is_of_an_application(self, key: StatementKey) -> bool:
        known = self._texts.get(key[1])
        return bool(key[1]) and known is not None and not is_system(key[0], known.tables)

    def _is_new(self, key: StatementKey) -> bool:
        return key not in self._habits and key not in self._there_at_first

    def _may_tell(self, at: float) -> bool:
        self._told = [moment for moment in self._told if at - 3600.0 < moment <= at]
        if len(self._told) >= NEW_AN_HOUR:
            return False
        self._told.append(at)
        return True

    def _remember(self, done: Mapping[StatementKey, Counters], at: float) -> Iterator[SeenStatement]:
        for key in done:
            habit = self._habits.get(key)
            fresh = habit is None
            if habit is None:
                habit = self._habits[key] = _Habit(0, at, at, at)
            habit.pieces += 1
            habit.last_worked = at
            known = self._texts.get(key[1])
            if known is not None and (fresh or abs(at - habit.stored) >= _REFRESH_SECONDS):
                habit.stored = at
                yield SeenStatement(*key, known.text, habit.first_seen, at)

    def _vanished(self, at: float) -> Iterator[Change]:
        for key, habit in self._habits.items():
            if habit.pieces >= REGULAR_PIECES and at - habit.last_worked > AWAY_SECONDS:
                habit.pieces = 0
                yield Change(at, STATEMENT_VANISHED, _content(key), since=habit.last_worked)


def _content(key: StatementKey) -> Content:
    return {"schema": key[0], "digest": key[1]}
