"""`config.change`: a variable was set while the server runs, and clients feel what a tight value of it does to them.

A change alone is no fault. It is one where the counter that tells of its harm grows: faster than before the change, or,
where nothing was sampled before, with a value far below what servers usually have.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.facts.variable_symptoms import SYMPTOMS
from services.shard.view import real
from storex.diagnostics.v1 import finding_pb2, settings_pb2

KIND = "config.change"
TOOL = "list_variable_changes"

TIMES_BEFORE = 3.0
"""How many times what it was before the change."""
TIGHT = 0.25
"""Share of the usual value below which one is tight."""
FAR_TOO_TIGHT = 0.01
"""The same where the symptom was there before: MySQL dates a change anew whenever a session sets a value of its own."""
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """A finding for each such variable."""
    answer = readings.answer(TOOL, settings_pb2.ListVariableChangesResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The variables could not be read.")
    if not answer.changes:
        return Detection(reason="No variable was changed while the server runs, as far as is known.")
    if not answer.window_seconds:
        reason = "Variables were changed; what that does to clients has not been sampled yet."
        return Detection(not_checked=True, reason=reason, look_again=LOOK_AGAIN)
    guilty = [place for place, change in enumerate(answer.changes) if _hurts(change)]
    return Detection(tuple(_finding(answer, place) for place in guilty), "" if guilty else _clear(answer))


def _hurts(change: settings_pb2.VariableChange) -> bool:
    symptom = SYMPTOMS.get(change.variable)
    if symptom is None or change.symptom_now < symptom.matters or _was_raised(change):
        return False
    if change.has_before and change.symptom_now >= TIMES_BEFORE * change.symptom_before + symptom.matters:
        return True
    before = change.old_value or change.default_value
    if before and not real(before) and real(change.value):
        return True  # there was no limit before, so that it is this one which is felt
    lasting = change.has_before and change.symptom_before >= symptom.matters and not change.old_value
    share = TIGHT if not change.has_before else FAR_TOO_TIGHT if lasting else 0.0
    return 0.0 < real(change.value) <= share * max(symptom.usual, real(change.default_value))


def _was_raised(change: settings_pb2.VariableChange) -> bool:
    old, value = real(change.old_value), real(change.value)
    # Nought means no limit to some of them.
    return bool(change.old_value) and (value >= old if old else False)


def _clear(answer: settings_pb2.ListVariableChangesResponse) -> str:
    names = ", ".join(change.variable for change in answer.changes[:3])
    more = f" and {len(answer.changes) - 3} more" if len(answer.changes) > 3 else ""
    return f"Changed while the server runs: {names}{more}. No counter shows that clients feel it."


def _finding(answer: settings_pb2.ListVariableChangesResponse, place: int) -> finding_pb2.Finding:
    change = answer.changes[place]
    is_dated = change.HasField("changed_at") or bool(change.old_value)
    was = f" from {change.old_value}" if change.old_value else ""
    became = f"was changed{was} to" if is_dated else "is set to"
    before = f", before the change {change.symptom_before:.1f}" if change.has_before else ""
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9 if change.has_before else 0.7,
        summary=(
            f"{change.variable} {became} {change.value}; {change.symptom.replace('_', ' ')} is"
            f" {change.symptom_now:.1f}{before}."
        ),
        entities=[entity(CAUSE, "variable", change.variable)],
        evidence=[cite(TOOL, answer, f"changes[{place}].{path}", statement) for path, statement in _EVIDENCE],
        impact=change.symptom_now,
    )
    if change.HasField("changed_at"):
        finding.onset.CopyFrom(change.changed_at)
    return finding


_EVIDENCE = (
    ("variable", "The variable that was changed."),
    ("old_value", "Its value before, where that was seen."),
    ("value", "Its value now."),
    ("symptom", "The metric that shows what a tight value does to clients."),
    ("symptom_now", "That metric now."),
    ("symptom_before", "That metric before the change."),
)
