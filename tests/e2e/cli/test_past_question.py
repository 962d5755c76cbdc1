"""Somebody asks about a time that is over, through the whole mesh, and gets the record's answer, its time in UTC."""

from __future__ import annotations

import re

import pytest

from tests.e2e.command import Storex, until

pytestmark = [pytest.mark.engine, pytest.mark.slow]

NAME = "regions/eu-west-1/instances/payments-1"


def _recorded(storex: Storex) -> int:
    return len(storex.json("history", NAME, "queries_per_second", "--step", "1s", "--for", "2m")["points"])


def test_a_past_question_is_answered_from_the_record(storex: Storex) -> None:
    # A time is over twenty seconds after it.
    until(lambda: _recorded(storex) > 15)
    until(lambda: _recorded(storex) > 30)
    report = storex.json("ask", NAME, "why was it slow?", "--at", "21s", "--for", "8s")
    assert report["verdict"] in ("VERDICT_INCONCLUSIVE", "VERDICT_LIKELY")
    assert "HISTORY_ONLY" in [limit["code"] for limit in report["limits"]]
    assert {"get_health", "list_top_queries", "get_normal", "list_changes"} <= {
        item["tool"] for item in report["checked"]
    }
    assert report["facts"]
    shown = storex.run("ask", NAME, "and then?", "--at", "21s", "--for", "8s").stdout
    assert re.search(r"^\w+  \S+payments-1  \d{4}-\d\d-\d\d \d\d:\d\d to .*UTC$", shown.splitlines()[0])


def test_before_anything_was_recorded_is_a_clear_error(storex: Storex) -> None:
    answer = storex.run("ask", NAME, "why was it slow?", "--at", "2020-01-01T00:00Z")
    assert (answer.status, "does not reach there: it goes from 20" in answer.stderr) == (1, True), answer.stderr


def test_who_owns_it_needs_no_diagnosis(storex: Storex) -> None:
    report = storex.json("ask", NAME, "who owns it?")
    assert "belongs to team" in report["answer"]
    assert not report.get("verdict", "").endswith("HEALTHY")
