"""A DBA asks what was, through the whole mesh: history, normal, changes, and a deployment posted from outside."""

from __future__ import annotations

import pytest

from tests.e2e.command import Storex, until

pytestmark = pytest.mark.engine

NAME = "regions/eu-west-1/instances/payments-1"


def test_a_metric_over_the_last_minutes(storex: Storex) -> None:
    until(lambda: len(storex.json("history", NAME, "queries_per_second", "--step", "1s", "--for", "2m")["points"]) > 2)
    shown = storex.run("history", NAME, "queries_per_second", "--for", "10m").stdout
    assert shown.startswith("queries_per_second (1/s), every 20 s, UTC\n")
    assert "####" in shown
    assert "queries_per_second" in storex.run("history", "payments-1").stdout


def test_what_is_normal_names_every_metric_and_what_is_missing(storex: Storex) -> None:
    until(lambda: len(storex.json("normal", NAME)["normals"]) > 20)
    shown = storex.run("normal", NAME, "threads_running", "queries_per_second").stdout
    assert "threads_running" in shown
    assert "fsyncs_per_second" not in shown


def test_a_deployment_stands_among_the_changes_of_all_instances_of_its_service(storex: Storex) -> None:
    posted = storex.json("event", "service:orders", "orders", "--version", "v2.3", "--note", "for 'Ada'")
    assert len(posted) > 1
    for answer in posted:
        (change,) = storex.json("changes", answer["name"], "--kind", "deploy")["changes"]
        assert change == answer["change"]
    assert "orders v2.3 for [quoted]" in storex.run("changes", posted[0]["name"], "--for", "1h").stdout
    assert storex.run("event", NAME, "payments", "--as", "payments-oncall").status == 0
    assert storex.run("event", posted[0]["name"], "orders", "--as", "payments-oncall").status == 6


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("history", NAME, "querys_per_second"), 2, "queries_per_second"),
        (("history", NAME, "queries_per_second", "--at", "2020-01-01T00:00Z"), 1, "does not reach there"),
        (("normal", NAME, "nonsense"), 2, "There is no metric of that name"),
        (("changes", NAME, "--kind", "weather"), 2, "There is variable, table"),
        (("changes", "payments-9"), 6, "payments-1"),
        (("event", "service:none", "orders"), 6, "service=none"),
        (("event", NAME, "two words"), 2, "event.service"),
    ],
)
def test_what_cannot_be_answered_says_why(storex: Storex, arguments: tuple[str, ...], status: int, told: str) -> None:
    answer = storex.run(*arguments)
    assert (answer.status, told in answer.stderr) == (status, True), answer.stderr
