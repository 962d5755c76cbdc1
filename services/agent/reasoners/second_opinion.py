"""What to report when a model and `builtin` have both looked: a model may add words, not lose or invent causes."""

from __future__ import annotations

from dataclasses import replace

from services.agent.records import Records
from services.agent.report.draft import Draft, DraftCause
from services.agent.report.verifier import VerifiedCause
from services.agent.report.writing import settle


def reconcile(models: Draft, builtins: Draft, records: Records) -> Draft | None:
    """The model's draft, without causes that only it sees beside confirmed ones; None where it misses a cause.

    What `builtin` claims is what the shards' detectors found and its own reading showed, so a model that overlooks it
    is not believed.
    """
    claimed = settle(models, records)
    known = settle(builtins, records)
    if not {_key(cause.cause) for cause in known} <= {_key(cause.cause) for cause in claimed}:
        return None
    if not any(cause.confirmed for cause in known):
        return models
    kept = {_key(cause.cause) for cause in claimed if cause.confirmed or _is_among(cause, known)}
    causes = tuple(cause for cause in models.causes if _key(cause) in kept)
    return models if causes == models.causes else replace(models, causes=causes, answer="")


def _is_among(cause: VerifiedCause, known: list[VerifiedCause]) -> bool:
    return _key(cause.cause) in {_key(other.cause) for other in known}


def _key(cause: DraftCause) -> tuple[str, str]:
    return cause.kind, cause.name
