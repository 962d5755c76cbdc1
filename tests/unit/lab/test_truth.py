"""What counts as a right report about an injected incident."""

from __future__ import annotations

import json

import pytest

from libs.lab.errors import IncidentError
from libs.lab.incidents import incident
from libs.lab.truth import HEALTHY, Truth

BLOCKER = Truth(
    "lock.row_blocker",
    (("holder", "connection_id", "812"), ("holder", "user", "orders_app"), ("holder", "program", "job")),
)


def test_the_right_cause_with_the_right_holder_meets_it() -> None:
    assert (
        BLOCKER.unmet([("lock.row_blocker", [("holder", "connection_id", "812"), ("holder", "user", "prn_1")])]) == []
    )


@pytest.mark.parametrize(
    ("reported", "problem"),
    [
        ([], "lock.row_blocker was not reported."),
        ([("lock.row_blocker", [("holder", "connection_id", "813")])], "connection_id is 812"),
        ([("lock.row_blocker", [("victim", "connection_id", "812")])], "connection_id is 812"),
        ([("query.missing_index", [("holder", "connection_id", "812")])], "lock.row_blocker was not reported."),
    ],
)
def test_a_wrong_or_missing_cause_is_told(reported: list[tuple[str, list[tuple[str, str, str]]]], problem: str) -> None:
    assert any(problem in told for told in BLOCKER.unmet(reported))


def test_a_cause_that_is_not_there_is_told() -> None:
    entities = [("holder", "connection_id", "812")]
    assert BLOCKER.unmet([("lock.row_blocker", entities), ("connections.leak", [])]) == [
        "connections.leak was reported, but only lock.row_blocker is there."
    ]
    assert Truth(HEALTHY).unmet([]) == []
    assert Truth(HEALTHY).unmet([("connections.leak", [])]) == ["connections.leak was reported, but nothing is wrong."]


def test_of_two_faults_both_are_asked_for_and_nothing_else() -> None:
    both = Truth(
        BLOCKER.kind, BLOCKER.entities, also=(Truth("config.read_only", (("cause", "variable", "read_only"),)),)
    )
    blocker = ("lock.row_blocker", [("holder", "connection_id", "812")])
    read_only = ("config.read_only", [("cause", "variable", "read_only")])
    assert both.unmet([blocker, read_only]) == []
    assert Truth.from_json(json.loads(json.dumps(both.to_json()))) == both
    assert both.unmet([blocker]) == ["config.read_only was not reported."]
    assert both.unmet([blocker, read_only, ("connections.leak", [])]) == [
        "connections.leak was reported, but only lock.row_blocker and config.read_only are there."
    ]


def test_without_a_digest_the_table_decides() -> None:
    digest, table = ("cause", "statement_digest", "ab"), ("affected", "table", "shop.big")
    assert Truth("query.missing_index", (digest, table)).decisive == (digest,)
    assert Truth("query.missing_index", (table,)).decisive == (table,)


def test_an_unknown_incident_lists_the_known_ones() -> None:
    with pytest.raises(IncidentError, match=r"lock\.row_blocker, .*connections\.leak, .*healthy"):
        incident("lock.nonsense")
