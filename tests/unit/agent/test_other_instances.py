"""Instances that a question may name beside its target, and what is said where they could not be looked up."""

from __future__ import annotations

from dataclasses import replace

from services.agent.inquiry import Inquiry
from services.agent.reasoners.builtin.others import may_be_named, named_beside, told
from services.agent.records import ERROR, Record, Records
from services.agent.target import parse_target
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import replication_pb2 as r
from storex.fleet.v1 import fleet_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME, observation
from tests.unit.agent.recorded import health_record, record, report_on

OTHER = "regions/eu-west-1/instances/release-42"


def _inquiry(question: str, *records: Record) -> Inquiry:
    return Inquiry("ses_1", parse_target(NAME), question, 0.0, 600.0, records=Records(records))


def _listed(name: str) -> Record:
    return record("list_instances", fleet_pb2.StreamInstancesResponse(instance=fleet_pb2.Instance(name=name)), name)


_DEAD = Record("call_0_9", 0, "list_instances", "regions/us-east-1", ERROR, reason="SHARD_UNAVAILABLE", problem="Away.")


def test_a_word_that_is_no_instance_is_not_spoken_of() -> None:
    asked = _inquiry("is it slow since release-42?")
    assert may_be_named(asked) == ("release-42",)
    assert told(asked, Records([_listed(NAME)])) == ""


def test_a_word_that_is_listed_is_an_instance() -> None:
    asked = _inquiry("is it slow since release-42?", _listed(OTHER))
    assert named_beside(asked) == ("release-42",)
    assert told(asked, Records([_listed(OTHER)])) == f"{OTHER} could not be read."


def test_a_lookup_that_failed_is_not_told_as_an_instance_that_is_not_there() -> None:
    asked = _inquiry("why is orders-9 slow?")
    assert told(asked, Records([_listed(NAME)])).startswith("There is no instance orders-9 that you may see")
    said = told(asked, Records([_listed(NAME), _DEAD]))
    assert said.startswith("Whether there is an instance orders-9 could not be looked up everywhere")


def test_a_lookup_that_failed_elsewhere_does_not_make_a_healthy_target_doubtful() -> None:
    report = report_on([health_record(answers.health()), _DEAD])
    assert report.verdict == report_pb2.VERDICT_HEALTHY
    blind = report_on([health_record(answers.health()), replace(_DEAD, tool="stream_health")])
    assert blind.verdict == report_pb2.VERDICT_INCONCLUSIVE


def test_a_source_that_could_not_be_looked_up_is_not_told_as_one_that_may_not_be_seen() -> None:
    lag = answers.leak_finding()
    lag.kind = "replication.lag"
    lag.entities.append(answers.entity("affected", "channel", "default"))
    channel = r.ReplicationChannel(channel="default", source_server_uuid="3e11", source_server_id=7, lag_seconds=40)
    answer = r.GetReplicationResponse(observation=observation(), is_replica=True, channels=[channel])
    known = [health_record(answers.health(lag)), record("get_replication", answer), _listed(NAME)]
    unseen, unknown = (
        next(limit.message for limit in report_on(records).limits if limit.code == "SOURCE_NOT_SEEN")
        for records in (known, [*known, _DEAD])
    )
    assert "not among the instances that you may see" in unseen
    assert "could not be looked up, because not every region answered" in unknown
