"""Health as text: of one instance in full, of many in a line each, and what changed from one message to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import RenderableType
from rich.text import Text

from libs.cli.output import table_of
from libs.cli.safe_text import plain
from libs.client.ranking import is_unknown, root_findings
from storex.diagnostics.v1.diagnostics_pb2 import InstanceHealth
from storex.diagnostics.v1.finding_pb2 import CHECK_RESULT_NOT_CHECKED, Check, Finding, Severity, Shape

_STYLES = {"critical": "red", "warning": "yellow", "unknown": "yellow", "healthy": "green"}


def health_view(health: InstanceHealth) -> Iterator[RenderableType]:
    """One instance: its findings with what each explains, what could not be checked, and what limits the answer."""
    seen = _moment(health.observation.observed_at)
    yield plain(f"{health.observation.name} is {_word(health)}, as seen at {seen} UTC", _STYLES[_word(health)])
    kinds = {finding.id: finding.kind for finding in health.findings}
    for finding in health.findings:
        yield Text("")
        yield plain(f"{finding.kind} ({_severity(finding)}{_since(finding)})", "bold")
        yield plain(f"  {finding.summary}")
        if finding.explains:
            yield plain(f"  explains {', '.join(dict.fromkeys(kinds[effect] for effect in finding.explains))}")
    unchecked = [check for check in health.checks if check.result == CHECK_RESULT_NOT_CHECKED]
    if unchecked:
        yield from _unchecked(unchecked)
    for limit in health.observation.limits:
        yield plain(f"{limit.message} {limit.remedy}".strip())


def _unchecked(checks: Sequence[Check]) -> Iterator[RenderableType]:
    """What could not be checked and why; a reason that several checks share is told once, with their list."""
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        by_reason.setdefault(check.reason, []).append(check.kind)
    single = [(kinds[0], reason) for reason, kinds in by_reason.items() if len(kinds) == 1]
    if single:
        yield Text("")
        yield table_of(("not checked", "why"), single)
    for reason, kinds in by_reason.items():
        if len(kinds) > 1:
            yield Text("")
            yield plain(f"{len(kinds)} not checked: {reason}", "bold")
            yield plain(f"  {', '.join(kinds)}")


def ranked_view(healths: Sequence[InstanceHealth]) -> Iterator[RenderableType]:
    """Many instances, a line each, as they come."""
    yield table_of(("instance", "health", "since (UTC)", "cause", "what is wrong"), list(map(_row, healths)), _STYLES)


def told(before: InstanceHealth | None, now: InstanceHealth) -> Iterator[RenderableType]:
    """What a watcher is told: findings that opened, changed or closed; at first, all there is."""
    at, name = _moment(now.observation.observed_at), now.observation.name
    if before is None or _word(before) != _word(now):
        yield plain(f"{at} {name} is {_word(now)}", _STYLES[_word(now)])
    known = {} if before is None else {_key(finding): finding for finding in before.findings}
    there = {_key(finding) for finding in now.findings}
    for finding in now.findings:
        earlier = known.get(_key(finding))
        if earlier is None or earlier.severity != finding.severity:
            yield plain(f"{at} {name} {finding.kind} ({_severity(finding)}{_since(finding)}): {finding.summary}")
    for key, finding in known.items():
        if key not in there and not is_unknown(now):
            yield plain(f"{at} {name} {finding.kind} is over")


def _row(health: InstanceHealth) -> tuple[str, ...]:
    roots = root_findings(health)
    if not roots:
        limit = next((limit.message for limit in health.observation.limits), "") if is_unknown(health) else ""
        return (health.observation.name, _word(health), "", "", limit)
    worst = roots[0]
    more = f" (and {len(roots) - 1} more)" if len(roots) > 1 else ""
    onset = _moment(worst.onset) if worst.HasField("onset") else ""
    return (health.observation.name, _word(health), onset, worst.kind + more, worst.summary)


def _word(health: InstanceHealth) -> str:
    """How the instance is, in a word."""
    if is_unknown(health):
        return "unknown"
    roots = root_findings(health)
    return _severity(max(roots, key=lambda finding: finding.severity)) if roots else "healthy"


def _severity(finding: Finding) -> str:
    word = Severity.Name(finding.severity).removeprefix("SEVERITY_").lower()
    return word if word in _STYLES else "healthy"


def _since(finding: Finding) -> str:
    shape = Shape.Name(finding.shape).removeprefix("SHAPE_").lower() if finding.shape else ""
    since = f", since {_moment(finding.onset)}" if finding.HasField("onset") else ""
    return f"{since}, a {shape}" if shape else since


def _key(finding: Finding) -> tuple[str, ...]:
    holders = (part.value for part in finding.entities if (part.role, part.type) == ("holder", "connection_id"))
    return (finding.kind, *holders)


def _moment(stamp: Timestamp) -> str:
    return f"{datetime.fromtimestamp(stamp.seconds, UTC):%Y-%m-%d %H:%M:%S}"
