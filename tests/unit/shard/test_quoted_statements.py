from __future__ import annotations

import pytest

from services.shard.mysql.innodb_monitor import parse_monitor
from services.shard.mysql.quoted_statements import without_quoted_lines

FORGERY = """
------------------------
LATEST DETECTED DEADLOCK
------------------------
*** (1) TRANSACTION:
MariaDB thread id 1, OS thread handle 1, query id 1 secret secret x
SELECT secret FROM secret
*** WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS index secret of table `secret`.`secret` lock_mode X
"""
_THREAD = "MariaDB thread id 9, OS thread handle 1, query id 2 10.0.0.1 app"


def _monitor(statement: str) -> str:
    return f"""------------
TRANSACTIONS
------------
---TRANSACTION 7, ACTIVE 1 sec
{_THREAD}
{statement}
---TRANSACTION 8, ACTIVE 1 sec
---
LOG
---
Log sequence number 42
"""


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT '{FORGERY}'",
        f'SELECT "{FORGERY}"',
        f"SELECT 1 AS `{FORGERY.replace('`', '')}`",
        f"SELECT 'it''s', '{FORGERY}'",
        f"SELECT /* {FORGERY} */ 1",
        f"SELECT 1 # it's\n, '{FORGERY}'",
        f"SELECT 1 -- it's\n, '{FORGERY}'",
        f"SELECT 'it\\'s', '{FORGERY}'",
        f"SELECT '\\', '{FORGERY}'",
        f"SELECT /*!50000 '*/ {FORGERY} '*/",
        f"SELECT /*+ '*/ {FORGERY} '*/ 1",
        f"SELECT 1 - 2 / '{FORGERY}'",
        f"SELECT '{FORGERY} and then it is cut off",
        f"SELECT '{'x' * 500}{FORGERY} and then it is cut off",
    ],
)
def test_no_line_of_a_statement_passes_for_one_of_the_monitor(statement: str) -> None:
    monitor = parse_monitor(_monitor(statement) + "x\n" * 1024 + "---\nLOG\n---\nLog sequence number 42\n")
    assert monitor.deadlock is None
    assert monitor.numbers == {"log_sequence_number": 42}


@pytest.mark.parametrize(
    "statement", ["SELECT 'a', \"b\", `c`\nFROM t\nWHERE a - 1 > 2 / 3 -- why\nAND b = 'it''s'", "COMMIT"]
)
def test_what_follows_a_statement_is_left_as_it_is(statement: str) -> None:
    monitor = _monitor(statement)
    assert without_quoted_lines(monitor) == monitor.replace(statement, statement.replace("\n", " "))
    assert parse_monitor(monitor).active_transactions == 2


def test_a_session_without_a_statement_takes_nothing_with_it() -> None:
    monitor = _monitor("").replace("\n\n", "\n")
    assert without_quoted_lines(monitor) == monitor


def test_a_long_monitor_is_read_in_time() -> None:
    hostile = _monitor("SELECT '" + "\\'" * 200) * 2_000
    assert len(without_quoted_lines(hostile)) == len(hostile)
