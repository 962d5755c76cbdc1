"""What to report when a model and `builtin` have both looked: a model may add words, not lose or invent causes."""

from __future__ import annotations

import re
from dataclasses import replace

from services.agent.records import Records
from services.agent.report.draft import Draft, DraftCause
from services.agent.report.verifier import VerifiedCause
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
    if not _keys(known) <= _keys(claimed) or not _keys(known, confirmed=True) <= _keys(claimed, confirmed=True):
        return None
    only = _keys(known) if _keys(known, confirmed=True) else None
    causes = tuple(
        cause
        for cause in models.causes
        if _key(cause) in _keys(known) or (only is None and not _is_contradicted(cause, records))
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
    explained = {identifier for finding in health.findings for identifier in finding.explains}
    findings = [finding for finding in health.findings if finding.kind == cause.kind]
    if findings:
        return all(f.id in explained or f.severity <= finding_pb2.SEVERITY_INFO for f in findings)
    clear = finding_pb2.CHECK_RESULT_CLEAR
    return any(check.kind == cause.kind and check.result == clear for check in health.checks)


def _keys(causes: list[VerifiedCause], *, confirmed: bool = False) -> set[tuple[str, str]]:
    return {_key(cause.cause) for cause in causes if cause.confirmed or not confirmed}


def _key(cause: DraftCause) -> tuple[str, str]:
    return cause.kind, cause.name
