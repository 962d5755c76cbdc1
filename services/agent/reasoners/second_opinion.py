"""What to report when a model and `builtin` have both looked: a model may add words, not lose or invent causes."""

from __future__ import annotations

from dataclasses import replace

from services.agent.records import Records
from services.agent.report.draft import Draft, DraftCause
from services.agent.report.verifier import VerifiedCause
from services.agent.report.writing import settle


def reconcile(models: Draft, builtins: Draft, records: Records) -> Draft | None:
    """The model's draft, without causes that only it sees beside confirmed ones; None where it is the weaker one.

    What `builtin` claims is what the shards' detectors found and its own reading showed, so a model that overlooks a
    cause, or cannot name who is behind one that is confirmed, is not believed.
    """
    claimed = settle(models, records)
    known = settle(builtins, records)
    if not _keys(known) <= _keys(claimed) or not _keys(known, confirmed=True) <= _keys(claimed, confirmed=True):
        return None
    if not _keys(known, confirmed=True):
        return models
    kept = _keys(claimed, confirmed=True) | _keys(known)
    causes = tuple(cause for cause in models.causes if _key(cause) in kept)
    return models if causes == models.causes else replace(models, causes=causes, answer="")


def _keys(causes: list[VerifiedCause], *, confirmed: bool = False) -> set[tuple[str, str]]:
    return {_key(cause.cause) for cause in causes if cause.confirmed or not confirmed}


def _key(cause: DraftCause) -> tuple[str, str]:
    return cause.kind, cause.name
