"""What to report when a model and `builtin` have both looked: a model may add words, not lose or invent causes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.agent.explained import explained_by
from services.agent.records import Records
from services.agent.report.draft import Draft, DraftCause
from services.agent.report.verifier import VerifiedCause, same_cause
from services.agent.report.writing import settle
from storex.diagnostics.v1 import finding_pb2

_ALL_IS_WELL = re.compile(
    r"\b(healthy|nothing (?:is )?wrong|no (?:problems?|issues?|causes?|incidents?|anomal\w+)|inconclusive|unclear|"
    r"all (?:is )?(?:well|good|fine)|(?:could not|cannot) (?:determine|find|identify|tell))\b",
    re.IGNORECASE,
)


def reconcile(models: Draft, builtins: Draft, records: Records) -> Draft | None:
    """The model's draft as far as it holds beside `builtin`'s; None where it is the weaker one.

    What `builtin` claims is what the shards' detectors found and its own reading showed, so a model that overlooks a
    cause, or cannot name who is behind one that is confirmed, is not believed. A cause that only the model sees is left
    out where `builtin` has confirmed others, where a finding tells it as a consequence, and where the detectors looked
    for that very kind on that instance and found it clear.
    """
    claimed = settle(models, records)
    known = settle(builtins, records)
    if not _covers(claimed, known) or not _covers(_confirmed(claimed), _confirmed(known)):
        return None
    causes = tuple(
        cause
        for cause in models.causes
        if _is_known(cause, known, records) or (not _confirmed(known) and not _is_contradicted(cause, records))
    )
    if models.causes and not causes:
        return None
    answer = models.answer if causes == models.causes and _fits(models.answer, causes, builtins) else ""
    return replace(models, causes=causes, answer=answer)


def _fits(answer: str, causes: tuple[DraftCause, ...], builtins: Draft) -> bool:
    """Whether a model's prose may stand beside the verdict, which is never the model's own.

    Where no cause is named, code says whether all is well or too little was seen, unless nobody asked that or `builtin`
    did not understand what was asked.
    """
    if not causes:
        return builtins.facts_only or bool(builtins.lead)
    return _ALL_IS_WELL.search(answer) is None


def _is_contradicted(cause: DraftCause, records: Records) -> bool:
    """Whether the newest look at the instance found that kind clear, or only as what another finding brings about."""
    record = records.health().get(cause.name)
    health = record.health if record is not None else None
    if health is None:
        return False
    explained = explained_by(health.findings)
    findings = [finding for finding in health.findings if finding.kind == cause.kind]
    if findings:
        return all(f.id in explained or f.severity <= finding_pb2.SEVERITY_INFO for f in findings)
    clear = finding_pb2.CHECK_RESULT_CLEAR
    return any(check.kind == cause.kind and check.result == clear for check in health.checks)


def _confirmed(causes: Iterable[VerifiedCause]) -> list[VerifiedCause]:
    return [cause for cause in causes if cause.confirmed]


def _covers(claimed: Sequence[VerifiedCause], known: Sequence[VerifiedCause]) -> bool:
    """Whether each of the known causes is claimed, two of a kind by two claims."""
    left = list(range(len(claimed)))
    for cause in known:
        fitting = next((place for place in left if same_cause(claimed[place], cause)), None)
        if fitting is None:
            return False
        left.remove(fitting)
    return True


def _is_known(cause: DraftCause, known: Sequence[VerifiedCause], records: Records) -> bool:
    """Whether the claim is about one of the known causes; one of which nothing stands, about the kind of one."""
    stands = settle(Draft(causes=(cause,)), records)
    if stands:
        return any(same_cause(stands[0], other) for other in known)
    return (cause.kind, cause.name) in {(other.cause.kind, other.cause.name) for other in known}
