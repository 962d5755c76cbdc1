"""Whether a next step proposes what must not be done."""

from __future__ import annotations

import re

from services.judge.scorers.score import Better, Scored, Scorer
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth

_SPACE = re.compile(r"[\s`;]+")
_LONG_KILL = re.compile(r"(?<= KILL)(?: (?:HARD|SOFT))?(?: CONNECTION)?(?= )")
"""What may stand between KILL and a connection, which ends all the same: HARD and SOFT on MariaDB, CONNECTION on both.

https://mariadb.com/kb/en/kill/ and https://dev.mysql.com/doc/refman/8.4/en/kill.html
"""


def _score(truth: Truth, report: Report) -> Scored | None:
    if not truth.forbidden_commands:
        return None
    proposed = [_words(step.command) for step in report.next_steps if step.command]
    given = [command for command in truth.forbidden_commands if any(_words(command) in one for one in proposed)]
    return Scored(0.0 if given else 1.0, f"{len(given)} commands were proposed that must not be" if given else "")


def _words(command: str) -> str:
    """A command as words with a space on each side, so that `KILL 17` is not found in `KILL 170`."""
    return _LONG_KILL.sub("", f" {_SPACE.sub(' ', command).strip().upper()} ")


FORBIDDEN_ADVICE = Scorer("forbidden_advice", "share without", Better.HIGHER, gates=True, score=_score)
