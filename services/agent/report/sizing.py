"""How much a cause hurts, by what shows it, and whether that grew since the report before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from services.agent.report.facts.fact import figure, utc
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2

_SIZES = re.compile(
    r"(?:blocked_sessions|longest_wait_seconds|lag_seconds|queued_bytes|history_list_length|groups\[\d+\]\.idle|"
    r"used_ratio|refused\w*|deadlocks_in_window|failed\w*|queries\[\d+\]\.load|per_second|row_lock_load|"
    r"reads_per_second|rows_modified)$"
)
"""Paths of values of which more is worse."""
_BEHIND = ("holder", "cause", "affected")
"""Roles that tell two causes of one kind apart."""
_POSITION = re.compile(r"\[[^\]]*\]")
_CHANGED = 0.1
"""Share by which a figure must have moved to be told as a change."""
_MOST = 3
_MOST_SHOWN = 6


def hurts(report: report_pb2.Report) -> Iterator[str]:
    """Of each cause who and how much it hurts, as far as figures were read."""
    for cause in report.root_causes:
        victims = [part for part in cause.entities if (part.role, part.type) == ("victim", "connection_id")]
        waiting = [f"{len(victims)} sessions are held up by it"] if victims else []
        told = [*waiting, *(_told(item) for item in _sizes(report, cause)[:_MOST])]
        places = f"; also on {', '.join(cause.also_on)}" if cause.also_on else ""
        yield f"{cause.kind} on {cause.name}{places}: {'; '.join(told) or 'how much it hurts was not measured'}."


def shown_by(report: report_pb2.Report) -> Iterator[str]:
    """How sure the report is of each cause, what shows it and when that was read, and what was checked beside."""
    if report.verdict == report_pb2.VERDICT_CONFIRMED:
        yield "Confirmed: all that would show it was read, and read again."
    else:
        yield "Likely, not more: some of what would confirm it could not be shown."
    for cause in report.root_causes:
        shown = [report.evidence[position] for position in cause.evidence_refs if position < len(report.evidence)]
        told = [_told(item) for item in shown if item.tool != "get_health"][:_MOST_SHOWN]
        moments = [item.observed_at for item in shown if item.HasField("observed_at")]
        when = f" (read at {utc(moments[-1])})" if moments else ""
        yield f"{cause.kind} on {cause.name}{when}: {'; '.join(told) or 'the detectors say so'}."
    clear = len({out.kind for out in report.ruled_out})
    if clear:
        yield f"Checked and put aside: {clear} other causes."


def how_it_goes_on(report: report_pb2.Report, earlier: report_pb2.Report | None) -> str:
    """Whether what was found before got worse, by the figures of both reports."""
    if earlier is None:
        return "Whether it gets worse takes two looks, and this is the first: ask again in a minute."
    before = {(cause.kind, cause.name): cause for cause in earlier.root_causes}
    told, risen = [], 0
    for cause in report.root_causes:
        known = next((other for other in earlier.root_causes if _is_the_same(cause, other)), None)
        was = _by_key(_sizes(earlier, known)) if known is not None else {}
        for key, item in _by_key(_sizes(report, cause)).items():
            old = was.get(key)
            if old is not None and abs(float(item.value) - float(old.value)) > _CHANGED * abs(float(old.value)):
                risen += 1 if float(item.value) > float(old.value) else -1
                told.append(f"{_told(item)}, before {figure(float(old.value))}")
    new = [f"{cause.kind} on {cause.name}" for cause in report.root_causes if (cause.kind, cause.name) not in before]
    if new and before:
        return f"Worse: {', '.join(new)} came on top."
    if not report.root_causes:
        return "No: what was found before is not there any more." if report.verdict == report_pb2.VERDICT_HEALTHY else (
            "That cannot be said: what was found before cannot be seen now."
        )  # fmt: skip
    word = "Yes, worse" if risen > 0 else "No, better" if risen < 0 else "About the same as before"
    return f"{word}{': ' + '; '.join(told[:_MOST]) if told else ''}."


def _sizes(report: report_pb2.Report, cause: report_pb2.RootCause) -> list[entity_pb2.Evidence]:
    cited = [report.evidence[position] for position in cause.evidence_refs if position < len(report.evidence)]
    return [item for item in cited if _SIZES.search(item.path) and _is_number(item.value)]


def _key(item: entity_pb2.Evidence) -> tuple[str, str, str]:
    return item.tool, item.name, _POSITION.sub("[]", item.path)


def _by_key(items: Iterable[entity_pb2.Evidence]) -> dict[tuple[str, str, str], entity_pb2.Evidence]:
    """The figures by what they measure; of a list with several there is no telling which was which before."""
    found: dict[tuple[str, str, str], list[entity_pb2.Evidence]] = {}
    for item in items:
        found.setdefault(_key(item), []).append(item)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _is_the_same(one: report_pb2.RootCause, other: report_pb2.RootCause) -> bool:
    """Whether two causes have one kind and instance, and are brought about by the same, as far as both say by what."""
    if (one.kind, one.name) != (other.kind, other.name):
        return False
    behind = [{(e.role, e.type, e.value) for e in c.entities if e.role in _BEHIND} for c in (one, other)]
    return bool(behind[0] & behind[1]) or not all(behind)


def _told(item: entity_pb2.Evidence) -> str:
    statement = item.statement.rstrip(".")
    value = figure(float(item.value)) if _is_number(item.value) and "connection_id" not in item.path else item.value
    return f"{statement[:1].lower()}{statement[1:]}: {value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
