"""The answer in a few sentences, written from the verified report itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from services.agent.records import UNREACHED
from services.agent.report.causes.wording import count, seconds
from services.agent.report.draft import Aspect, Draft, Topic
from services.agent.report.facts.fact import utc
from services.agent.report.sizing import how_it_goes_on, hurts, shown_by
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2

_TYPES = {
    Aspect.WHO: ("connection_id", "user", "host", "program"),
    Aspect.WHAT: ("schema", "table", "index", "statement_digest"),
}

_YES_OR_NO = (Aspect.STILL, Aspect.WELL, Aspect.TREND)
_MOST_TOLD, _MOST_BESIDE = 10, 2
"""Sentences of one topic in an answer: of a question for it, and beside a diagnosis."""
_MAX_UNREACHED = 3
_AGAINST_RESTART = (
    "Not as the first thing: a restart or a fail-over ends every session, rolls back all that is open, and begins with"
    " a cold buffer pool."
)
_LONG_ROLL_BACK = 10_000
"""Changed rows above which the roll-back itself keeps others waiting, so that a commit is asked for first."""
_DATABASE = re.compile(r"\b[Tt]h(?:e|is) database\b")


def answer_for(report: report_pb2.Report, draft: Draft, facts: Sequence[tuple[Topic, str]] = ()) -> str:
    """What of the report the question asks for, or all of it, with what was seen beside the causes."""
    told = [text for topic in dict.fromkeys(topic for topic, _ in facts) for text in _of_topic(topic, facts, draft)]
    return " ".join(part for part in (*_period(report), draft.lead, *_said(report, draft, bool(told)), *told) if part)


def _said(report: report_pb2.Report, draft: Draft, told: bool) -> Iterator[str]:
    if draft.facts_only:
        if not told and not draft.lead:
            yield " ".join(("Nothing could be read about that.", *_gaps(report)))
        return
    yield from _yes_or_no(report, draft)
    aspects = [aspect for aspect in draft.aspects if aspect not in _YES_OR_NO]
    if aspects and report.root_causes:
        yield from (_about(aspect, report, draft.asked_about) for aspect in aspects)
        if draft.on_session:
            return
    elif draft.on_session:
        yield "What was found before is not there any more."
    elif Aspect.RESTART in aspects:
        yield "No: nothing was found that a restart would help with, and it would end every session."
    elif Aspect.KILL in aspects:
        yield "No: no session was found that holds up others, so ending one would not help."
    about = list(_asked_about(report, draft.asked_kinds))
    yield from about
    yield _diagnosis(report, draft.asked_kinds if about else ())


def _period(report: report_pb2.Report) -> list[str]:
    if not report.HasField("about_end"):
        return []
    return [f"From {utc(report.about_start)} to {utc(report.about_end)}, by what was recorded."]


def _of_topic(topic: Topic, facts: Sequence[tuple[Topic, str]], draft: Draft) -> list[str]:
    """The sentences of one topic: all that were asked for, or the first few where a diagnosis goes before them."""
    texts = [text for other, text in facts if other is topic]
    return texts[: _MOST_TOLD if draft.facts_only else _MOST_BESIDE]


def _yes_or_no(report: report_pb2.Report, draft: Draft) -> Iterator[str]:
    now = {(cause.kind, cause.name) for cause in report.root_causes}
    if Aspect.TREND in draft.aspects:
        yield how_it_goes_on(report, draft.earlier)
    if Aspect.STILL in draft.aspects and draft.before:
        lasting = [f"{kind} on {name}" for kind, name in draft.before if (kind, name) in now]
        gone = [f"{kind} on {name}" for kind, name in draft.before if (kind, name) not in now]
        if lasting:
            yield f"Yes, still: {', '.join(lasting)}."
        if gone:
            seen = report.verdict != report_pb2.VERDICT_INCONCLUSIVE or bool(report.ruled_out)
            yield f"{'No longer found' if seen else 'It cannot be seen now'}: {', '.join(gone)}."
    elif {Aspect.WELL, Aspect.STILL} & set(draft.aspects):
        yield {
            report_pb2.VERDICT_HEALTHY: "All is well, as far as could be checked.",
            report_pb2.VERDICT_INCONCLUSIVE: "That cannot be said for sure.",
        }.get(report.verdict, "No, it is not well.")


def _asked_about(report: report_pb2.Report, kinds: Sequence[str]) -> Iterator[str]:
    """What the checks say of the kinds that a question is about, where none of them is a cause."""
    if not kinds or any(cause.kind in kinds for cause in report.root_causes):
        return
    reasons = {out.kind: out.reason for out in report.ruled_out if out.kind in kinds}
    unknown = [limit.source for limit in report.limits if limit.code == "NOT_CHECKED" and limit.source in kinds]
    if reasons:
        first = next(iter(reasons))
        yield f"What you ask about was checked and is not the cause: {', '.join(reasons)}. Of {first}: {reasons[first]}"
    if unknown:
        yield f"What could not be checked of it: {', '.join(dict.fromkeys(unknown))}."


def _about(aspect: Aspect, report: report_pb2.Report, asked_about: str) -> str:
    if aspect is Aspect.KILL:
        return _about_ending(report, asked_about)
    if aspect is Aspect.RESTART:
        return " ".join((_AGAINST_RESTART, *_first_step(report)))
    if aspect is Aspect.SURE:
        return " ".join(shown_by(report))
    if aspect is Aspect.IMPACT:
        return " ".join(hurts(report))
    if aspect is Aspect.STEPS:
        return " ".join(f"{number}. {step.text}" for number, step in enumerate(report.next_steps, start=1))
    if aspect is Aspect.WHY:
        return " ".join(link.text for link in report.causal_chain) or _diagnosis(report)
    if aspect is Aspect.WHEN:
        return " ".join(_since_when(cause, report) for cause in report.root_causes)
    return " ".join(_named(cause, _TYPES[aspect]) for cause in report.root_causes)


def _diagnosis(report: report_pb2.Report, told: Collection[str] = ()) -> str:
    """Causes, or that there are none; of kinds that were `told` of not once more that they could not be checked."""
    if report.root_causes:
        return " ".join((*_causes(report), *_first_step(report)))
    if report.verdict == report_pb2.VERDICT_HEALTHY:
        kinds = {kind for item in report.checked for kind in item.kinds}
        places = len({item.name for item in report.checked if item.kinds})
        where = "" if places == 1 else f" on {places} instances"
        looked_for = f"none of the {len(kinds)} causes that were looked for is there"
        return f"Nothing is wrong now, as far as could be checked{where}: {looked_for}."
    return " ".join((*unreached(report), "No cause could be established.", *_gaps(report, told)))


def unreached(report: report_pb2.Report) -> list[str]:
    """The databases that let Storex read nothing, each in a sentence of its own."""
    found = {limit.name or report.target: limit for limit in reversed(report.limits) if limit.code in UNREACHED}
    return [_unreached(name, found[name]) for name in sorted(found)[:_MAX_UNREACHED]]


def _unreached(name: str, limit: entity_pb2.Limit) -> str:
    happened = _DATABASE.sub(lambda _: name.rpartition("/")[2], limit.message, count=1)
    return f"{happened.rstrip('.')}: {limit.remedy[:1].lower()}{limit.remedy[1:]}" if limit.remedy else happened


def _causes(report: report_pb2.Report) -> list[str]:
    confirmed = report.verdict == report_pb2.VERDICT_CONFIRMED
    lead = "Confirmed" if confirmed else "Likely, though not all that would confirm it could be shown"
    several = len({cause.name for cause in report.root_causes}) > 1
    sentences = [f"{cause.name}: {cause.summary}" if several else cause.summary for cause in report.root_causes]
    return [f"{lead}: {sentences[0]}", *sentences[1:]]


def _first_step(report: report_pb2.Report) -> list[str]:
    return [f"First: {report.next_steps[0].text}"] if report.next_steps else []


def _gaps(report: report_pb2.Report, told: Collection[str] = ()) -> list[str]:
    clear = sorted({out.kind for out in report.ruled_out})
    seen = [f"Where it could be checked, this is clear: {', '.join(clear)}."] if clear else []
    news = [limit for limit in report.limits if limit.code != "NOT_CHECKED" or limit.source not in told]
    others = [limit for limit in news if limit.code not in UNREACHED]
    return [*seen, *(f"Limit: {limit.message} {limit.remedy}".strip() for limit in others[:2])]


def _named(cause: report_pb2.RootCause, types: Sequence[str]) -> str:
    behind = [entity for entity in cause.entities if entity.type in types and entity.role != "victim"]
    victims = [entity for entity in cause.entities if (entity.role, entity.type) == ("victim", "connection_id")]
    words = ", ".join(_spoken(entity) for entity in behind) or "nothing more is known"
    waiting = f"; {count(len(victims), 'session')} wait for it" if victims else ""
    return f"{cause.kind} on {cause.name}: {words}{waiting}."


def _spoken(entity: entity_pb2.Entity) -> str:
    return f"{entity.type.removesuffix('_id').replace('_', ' ')} {entity.value}"


def _since_when(cause: report_pb2.RootCause, report: report_pb2.Report) -> str:
    if not cause.HasField("onset"):
        return f"When {cause.kind} on {cause.name} began is not known."
    before = epoch_seconds(report.created_at) - epoch_seconds(cause.onset)
    return f"{cause.kind} on {cause.name} began at {cause.onset.ToJsonString()}, {seconds(before)} before this report."


def _rows_modified(report: report_pb2.Report) -> int | None:
    """The most that a holder was seen to have changed and not committed; None where that was not seen."""
    cited = (entry.value for entry in report.evidence if entry.path.endswith(".transaction.rows_modified"))
    return max((int(value) for value in cited if value.isdecimal()), default=None)


def _about_ending(report: report_pb2.Report, asked_about: str) -> str:
    holders = [
        entity.value
        for cause in report.root_causes
        for entity in cause.entities
        if (entity.role, entity.type) == ("holder", "connection_id")
    ]
    step = next((step for step in report.next_steps if step.command.startswith("KILL ")), None)
    if holders and report.verdict != report_pb2.VERDICT_CONFIRMED:
        return "Not yet: what was found could not be confirmed now. End nothing before it is."
    if not holders or step is None:
        return "No: no single session is behind this, so ending one would not help. See the next steps."
    changed = _rows_modified(report)
    if asked_about and asked_about not in holders:
        lead = f"No: connection {asked_about} is not the one; connection {holders[0]} holds the locks."
    elif changed is not None and changed > _LONG_ROLL_BACK:
        lead = (
            f"Not yet: connection {holders[0]} holds the locks, but has changed {count(changed, 'row')}, and they stay"
            " locked until all of that is rolled back."
        )
    else:
        little = "" if changed is None else ", and little is rolled back"
        lead = f"Yes, with care: connection {holders[0]} holds the locks{little}."
    return f"{lead} {step.text} The command: {step.command}."
