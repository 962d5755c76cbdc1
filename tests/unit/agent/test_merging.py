from __future__ import annotations

from services.agent.report.merging import merge_across_instances
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2


def cause(kind: str, name: str, *entities: tuple[str, str, str], refs: tuple[int, ...] = ()) -> report_pb2.RootCause:
    found = [entity_pb2.Entity(role=role, type=type_, value=value) for role, type_, value in entities]
    return report_pb2.RootCause(
        kind=kind, name=name, entities=found, evidence_refs=refs, confidence=0.9, summary="It leaks."
    )


def merged(*causes: report_pb2.RootCause) -> list[tuple[str, str, list[str]]]:
    report = report_pb2.Report(root_causes=causes)
    merge_across_instances(report)
    return [(one.kind, one.name, list(one.also_on)) for one in report.root_causes]


def test_the_same_program_on_two_instances_is_one_cause() -> None:
    report = report_pb2.Report(
        root_causes=[
            cause("connections.leak", "a", ("holder", "program", "sync"), ("holder", "user", "u1"), refs=(0, 2)),
            cause("connections.leak", "b", ("holder", "program", "sync"), ("holder", "user", "u2"), refs=(1,)),
        ]
    )
    merge_across_instances(report)
    (one,) = report.root_causes
    assert (one.name, list(one.also_on), list(one.evidence_refs)) == ("a", ["b"], [0, 1, 2])
    assert one.summary == "It leaks. The same is behind connections.leak on b."


def test_other_programs_kinds_and_one_instance_stay_apart() -> None:
    leak = ("holder", "program", "sync")
    assert merged(
        cause("connections.leak", "a", leak),
        cause("connections.leak", "b", ("holder", "program", "other")),
        cause("connections.exhausted", "c", leak),
        cause("connections.leak", "a", leak),
    ) == [
        ("connections.leak", "a", []),
        ("connections.leak", "b", []),
        ("connections.exhausted", "c", []),
        ("connections.leak", "a", []),
    ]


def test_victims_in_common_are_no_common_cause() -> None:
    victim = ("victim", "program", "checkout")
    assert len(merged(cause("lock.row_blocker", "a", victim), cause("lock.row_blocker", "b", victim))) == 2
