"""Counters as they are read: which of two sources of the same one holds."""

from __future__ import annotations

from services.shard.facts.growth import COUNTER_STATEMENTS, growth, status_of
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import Statement
from tests.unit.shard.recorded import RecordedSource, view_of

LENGTH = "Innodb_history_list_length"


async def test_the_status_wins_over_a_metric_that_was_switched_off() -> None:
    rows: dict[Statement, list[Row]] = {
        Statement.GLOBAL_STATUS: [{"variable_name": LENGTH, "value": "7000"}],
        Statement.INNODB_COUNTERS: [
            {"variable_name": LENGTH, "value": "0"},
            {"variable_name": "Innodb_deadlocks", "value": "3"},
        ],
    }
    source = RecordedSource(rows)
    results = await source.read(*COUNTER_STATEMENTS)
    assert status_of(results) == {LENGTH: "7000", "Innodb_deadlocks": "3"}
    assert growth(view_of(source), results, 5.0).now == {LENGTH: 7000.0, "Innodb_deadlocks": 3.0}
