"""Put the report together: verdict, causes, chain, evidence, what was ruled out and checked, next steps, limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.timestamp_pb2 import Timestamp

from libs.sensitivity.tokens import TOKEN
from services.agent.records import Records
from services.agent.report.answering import answer_for, unreached
from services.agent.report.causes.cause import CauseGuide, Facts, Step
from services.agent.report.causes.registry import guide_for
from services.agent.report.coverage import checked_items, covers, gather_limits, is_blind, loop_limit, ruled_out
from services.agent.report.draft import Draft, Topic
from services.agent.report.facts.fact import Seen
from services.agent.report.facts.registry import facts_about
from services.agent.report.matching import ANY_POSITION, Citation, brought_up_to_date, cite
from services.agent.report.merging import merge_across_instances
from services.agent.report.past import OfThePast, as_past, history_limit, of_time
from services.agent.report.period import Period
from services.agent.report.prose.check import Ground
from services.agent.report.upstream import (
    SOURCE_NOT_SEEN,
    Upstream,
    explained_elsewhere,
    key_of,
    told,
    unseen_sources,
    upstream,
)
from services.agent.report.verifier import Strike, VerifiedCause, finding_of, same_cause, verify
from services.agent.timestamps import timestamp
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

_MAX_CITED_PER_PATTERN = 5
_SUMMARY = "health.findings[*].summary"
_SAID = ("kind", "summary")
"""What of a finding is cited: a guide that knows too little gives the shard's own words."""
_HIDDEN = "Names of users, hosts and programs are hidden from your role; someone on call can see them."


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a report says about itself: target, session, writer, and the loop's own limits as (code, sentence)."""

    target: str
    session_id: str
    written_by: str
    created_at: float
    turn: int
    partial: bool = False
    notes: tuple[tuple[str, str], ...] = ()
    past: Period | None = None
    """The time that is over and that it is about; None for now."""
    window_seconds: float = 600.0
    """How far back the question looks."""


def write_report(draft: Draft, records: Records, about: Circumstances) -> report_pb2.Report:
    """Verify the draft against the records and write up what stands. `usage` is left to the caller."""
    rested_on = _rested_on(draft, records, about.turn)
    records = of_time(rested_on, about.past)
    verified, strikes = _verify_all(draft, records)
    verified = [as_past(cause) for cause in verified] if about.past is not None else verified
    report = report_pb2.Report(
        target=about.target,
        session_id=about.session_id,
        written_by=about.written_by,
        created_at=timestamp(about.created_at),
        partial=about.partial,
        struck=[report_pb2.StruckClaim(claim=strike.claim, reason=strike.reason) for strike in strikes],
    )
    if about.past is not None:
        report.about_start.CopyFrom(timestamp(about.past.start))
        report.about_end.CopyFrom(timestamp(about.past.end))
    evidence = _EvidenceList(report)
    steps: list[Step] = []
    several = len({cause.cause.name for cause in verified}) > 1
    sources = upstream(records) if about.past is None else []
    for cause in verified:
        _write_source(cause, sources, report, evidence)
        found = _write_cause(cause, records, report, evidence, past=about.past is not None)
        # Connection ids mean nothing without their server.
        steps += [replace(step, text=f"On {cause.cause.name}: {step.text}") if several else step for step in found]
    merge_across_instances(report, {one.replica: one.followed.source for one in sources})
    _write_replicas(sources, report, evidence)
    facts = _write_facts(draft, rested_on, about, report, evidence)
    report.next_steps.extend(_ordered(steps))
    covered = covers(records, about.target)
    report.ruled_out.extend(ruled_out(records, [cause.cause for cause in verified]) if covered else ())
    report.checked.extend(checked_items(rested_on))
    _write_limits(draft, rested_on, about, report)
    report.verdict = report_pb2.VERDICT_UNSPECIFIED if draft.facts_only else _verdict(verified, records, covered)
    report.answer = answer_for(report, draft, facts)
    if draft.answer:
        _take_answer(draft.answer, rested_on, report)
    return report


def _take_answer(answer: str, records: Records, report: report_pb2.Report) -> None:
    """Let a model's words stand in the place of the code's, where recorded answers show all that they say."""
    about = tuple(dict.fromkeys(cause.name for cause in report.root_causes)) or (report.target,)
    problem = Ground(records, about, report.verdict, report.root_causes).problem(answer)
    if problem:
        report.struck.add(claim="the answer in the writer's words", reason=problem)
    else:
        report.answer = " ".join((*([] if report.root_causes else unreached(report)), answer))


def _rested_on(draft: Draft, records: Records, turn: int) -> Records:
    if not draft.on_session:
        return records.of_turn(turn)
    turns = {*draft.turns, turn}
    return Records(record for record in records if record.turn in turns) if draft.turns else records


def _write_facts(
    draft: Draft, records: Records, about: Circumstances, report: report_pb2.Report, evidence: _EvidenceList
) -> list[tuple[Topic, str]]:
    """Append what was seen beside the causes; returns each topic's sentences, for the answer."""
    end = about.past.end if about.past is not None else about.created_at
    start = about.past.start if about.past is not None else end - about.window_seconds
    written = []
    for topic, fact in facts_about(draft.topics, Seen(records, start, end)):
        positions = sorted({evidence.add(citation, statement) for citation, statement in fact.cited})
        report.facts.add(text=fact.text, evidence_refs=positions)
        written.append((topic, fact.text))
    return written


def _write_limits(draft: Draft, records: Records, about: Circumstances, report: report_pb2.Report) -> None:
    report.limits.extend(gather_limits(records, about.target, checks=about.past is None))
    if about.past is not None and not draft.facts_only:
        report.limits.append(history_limit())
    for name, text in unseen_sources(records):
        report.limits.append(loop_limit(SOURCE_NOT_SEEN, text, "" if name == about.target else name))
    report.limits.extend(loop_limit(code, text) for code, text in (*draft.notes, *about.notes))
    if any(TOKEN.fullmatch(entity.value) for cause in report.root_causes for entity in cause.entities):
        report.limits.append(loop_limit("PRINCIPALS_HIDDEN", _HIDDEN))


def settle(draft: Draft, records: Records) -> list[VerifiedCause]:
    """What of a draft would stand as it is: for a reasoner that asks itself whether to look again."""
    return _verify_all(draft, records)[0]


def _verify_all(draft: Draft, records: Records) -> tuple[list[VerifiedCause], list[Strike]]:
    verified: list[VerifiedCause] = []
    strikes: list[Strike] = []
    elsewhere = explained_elsewhere(records)
    for cause in draft.causes:
        found = finding_of(cause, records)
        behind = elsewhere.get(key_of(cause.name, found[2])) if found is not None else None
        if behind is not None:
            strikes.append(Strike(f"{cause.kind} on {cause.name}", f"{behind[0]} on {behind[1]} explains it"))
            continue
        stands, struck = verify(brought_up_to_date(cause, records), records)
        strikes += struck
        if stands is not None and any(same_cause(stands, other) for other in verified):
            strikes.append(Strike(f"{cause.kind} on {cause.name}", "it is claimed already"))
        elif stands is not None:
            verified.append(stands)
    return verified, strikes


def _verdict(verified: Sequence[VerifiedCause], records: Records, covered: bool) -> report_pb2.Verdict.ValueType:
    if verified:
        confirmed = all(cause.confirmed for cause in verified)
        return report_pb2.VERDICT_CONFIRMED if confirmed else report_pb2.VERDICT_LIKELY
    if not covered or is_blind(records) or any(_hurts(record.health) for record in records.health().values()):
        return report_pb2.VERDICT_INCONCLUSIVE
    return report_pb2.VERDICT_HEALTHY


def _hurts(health: diagnostics_pb2.InstanceHealth | None) -> bool:
    return health is not None and any(finding.severity > finding_pb2.SEVERITY_INFO for finding in health.findings)


class _EvidenceList:
    """The report's evidence, each value once, addressed by position."""

    def __init__(self, report: report_pb2.Report) -> None:
        self._report = report
        self._positions: dict[tuple[str, str, str], int] = {}

    def add(self, citation: Citation, statement: str) -> int:
        """The position of the citation, which is appended unless it is there."""
        record = citation.record
        key = (record.call_id, record.name, citation.path)
        if key not in self._positions:
            self._positions[key] = len(self._report.evidence)
            self._report.evidence.append(citation.evidence(statement))
        return self._positions[key]


def _write_cause(
    verified: VerifiedCause, records: Records, report: report_pb2.Report, evidence: _EvidenceList, *, past: bool = False
) -> list[Step]:
    """Append one cause with its chain and evidence; returns its next steps."""
    cause = verified.cause
    guide: CauseGuide = OfThePast(guide_for(cause.kind)) if past else guide_for(cause.kind)
    citations = _all_citations(verified, guide, records)
    statements = {(entry.tool, entry.pattern): entry.statement for entry in guide.supporting}
    refs: dict[str, list[int]] = {}
    for citation in citations:
        statement = statements.get((citation.record.tool, citation.pattern), "What the shard's detectors conclude.")
        refs.setdefault(citation.pattern, []).append(evidence.add(citation, statement))
    facts = Facts(cause, citations, _engine(records, cause.name), _shard_summary(verified))
    written = report.root_causes.add(
        kind=cause.kind,
        name=cause.name,
        summary=guide.summary(facts) or _shard_summary(verified),
        confidence=cause.confidence,
        entities=[entity_pb2.Entity(role=e.role, type=e.type, value=e.value) for e in cause.entities],
        evidence_refs=sorted({position for positions in refs.values() for position in positions}),
    )
    if onset := _onset(verified):
        written.onset.CopyFrom(onset)
    for link in guide.chain(facts):
        positions = sorted({position for pattern in link.patterns for position in refs.get(pattern, ())})
        # What a shard says is evidence of itself.
        said = refs.get(_SUMMARY, []) if link.text == facts.fallback else []
        report.causal_chain.add(text=link.text, evidence_refs=sorted({*positions, *said}) or written.evidence_refs)
    _write_consequences(verified, report, evidence)
    _take_summary(verified, records, report, written)
    steps = guide.next_steps(facts)
    # An id may be another client's by now: nobody is told to end a session that was not shown to be the one.
    return [step for step in steps if verified.confirmed or not step.command.upper().startswith("KILL")]


def _take_summary(
    verified: VerifiedCause, records: Records, report: report_pb2.Report, written: report_pb2.RootCause
) -> None:
    """As `_take_answer`, for the sentence about one cause."""
    cause = verified.cause
    if not cause.summary:
        return
    verdict = report_pb2.VERDICT_CONFIRMED if verified.confirmed else report_pb2.VERDICT_LIKELY
    problem = Ground(records, (cause.name,), verdict, [written]).problem(cause.summary)
    if problem:
        report.struck.add(claim=f"what is said of {cause.kind} in the writer's words", reason=problem)
    else:
        written.summary = cause.summary


def _write_source(
    verified: VerifiedCause, sources: Sequence[Upstream], report: report_pb2.Report, evidence: _EvidenceList
) -> None:
    """Before a replica's own links: what its source does that brings it about."""
    key = key_of(verified.cause.name, verified.finding[2]) if verified.finding is not None else None
    for one in sources:
        if one.cause is None and one.key == key:
            _write_told(one, report, evidence)


def _write_replicas(sources: Sequence[Upstream], report: report_pb2.Report, evidence: _EvidenceList) -> None:
    """After the causes: which findings of replicas they explain, so that nothing is told as a cause twice."""
    for one in sources:
        cause = _told_as(one, report)
        if cause is None:
            continue
        _write_told(one, report, evidence)
        citation = cite(one.health, f"health.findings[{one.position}].summary", "")
        refs = [evidence.add(citation, "What the shard's detectors found on the replica.")] if citation else []
        text = f"This explains, on {one.replica}: {one.finding.summary}"
        report.causal_chain.add(text=text, evidence_refs=refs, cause=cause.kind, effect=one.finding.kind)
        if one.replica not in (cause.name, *cause.also_on):
            cause.also_on.append(one.replica)


def _told_as(one: Upstream, report: report_pb2.Report) -> report_pb2.RootCause | None:
    """The cause of the report that is the source's finding, also where it is told together with that of others."""
    if one.cause is None:
        return None
    record, _, finding = one.cause
    named = {(entity.role, entity.type, entity.value) for entity in finding.entities}
    fitting = [c for c in report.root_causes if c.kind == finding.kind and record.name in (c.name, *c.also_on)]
    return max(fitting, key=lambda c: len(named & {(e.role, e.type, e.value) for e in c.entities}), default=None)


def _write_told(one: Upstream, report: report_pb2.Report, evidence: _EvidenceList) -> None:
    link = told(one)
    if link is not None:
        refs = sorted({evidence.add(citation, statement) for citation, statement in link[1]})
        report.causal_chain.add(text=link[0], evidence_refs=refs)


def _write_consequences(verified: VerifiedCause, report: report_pb2.Report, evidence: _EvidenceList) -> None:
    """Append what the finding explains, as the shard says, with the shard's words as evidence."""
    if verified.finding is None:
        return
    record, _, finding = verified.finding
    for position, other in enumerate(record.health.findings if record.health is not None else ()):
        citation = cite(record, f"health.findings[{position}].summary", "")
        if other.id in finding.explains and citation is not None:
            position_in_report = evidence.add(citation, "What the shard's detectors found as a consequence.")
            report.causal_chain.add(
                text=f"This explains: {other.summary}",
                evidence_refs=[position_in_report],
                cause=finding.kind,
                effect=other.kind,
            )


def _all_citations(verified: VerifiedCause, guide: CauseGuide, records: Records) -> list[Citation]:
    citations = list(verified.citations)
    known = {(citation.record.tool, citation.path) for citation in citations}
    for supporting in guide.supporting:
        found = _supporting(verified, supporting.tool, supporting.pattern, records)
        citations += [citation for citation in found if (citation.record.tool, citation.path) not in known]
    if verified.finding is not None:
        record, position, _ = verified.finding
        said = (cite(record, f"health.findings[{position}].{field}", f"health.findings[*].{field}") for field in _SAID)
        citations += [citation for citation in said if citation is not None and citation.value]
    return citations


def _supporting(verified: VerifiedCause, tool: str, pattern: str, records: Records) -> Iterable[Citation]:
    if ANY_POSITION not in pattern:
        record = records.latest(tool, verified.cause.name)
        if record is None or not any(element.group.tool == tool for element in verified.all_elements):
            return []
        found = [cite(record, pattern, pattern)]
    else:
        prefix = pattern.partition(ANY_POSITION)[0]
        shown = [
            element for element in verified.all_elements if (element.group.tool, element.group.prefix) == (tool, prefix)
        ]
        found = [element.cite(pattern) for element in shown]
    by_value = {citation.value: citation for citation in reversed(found) if citation is not None and citation.value}
    return list(reversed(by_value.values()))[:_MAX_CITED_PER_PATTERN]


def _shard_summary(verified: VerifiedCause) -> str:
    return verified.finding[2].summary if verified.finding is not None else ""


def _onset(verified: VerifiedCause) -> Timestamp | None:
    if verified.finding is not None and verified.finding[2].HasField("onset"):
        return verified.finding[2].onset
    return None


def _engine(records: Records, name: str) -> str:
    record = records.latest("get_overview", name)
    found = cite(record, "engine", "engine") if record is not None else None
    return found.value if found is not None else ""


def _ordered(steps: Iterable[Step]) -> list[report_pb2.NextStep]:
    """Safest first; the same step once."""
    ordered = sorted(dict.fromkeys(steps), key=lambda step: step.risk)
    return [report_pb2.NextStep(text=step.text, risk=step.risk, command=step.command) for step in ordered]
