"""The part of `storex.yaml` that is about judging reports: its key `judge`."""

from __future__ import annotations

from collections.abc import Mapping

from libs.config.document import Fields
from libs.config.model import JudgeConfig, ModelEndpoint

DEFAULT = JudgeConfig()
"""No model grades."""
_MOST_LABELS = 100_000


def judge_of(root: Fields, endpoints: Mapping[str, ModelEndpoint]) -> JudgeConfig:
    """The section `judge`."""
    below = root.fields("judge")
    if below is None:
        return DEFAULT
    models = below.texts("models")
    for unknown in [name for name in models if name not in endpoints]:
        below.report("models", f"names {unknown!r}, which is no endpoint", "Add it to `models: endpoints:`")
    kappa = below.number("kappa", lowest=0.0, highest=1.0)
    config = JudgeConfig(
        models=models,
        kappa=DEFAULT.kappa if kappa is None else kappa,
        labels=below.integer("labels", lowest=1, highest=_MOST_LABELS) or DEFAULT.labels,
    )
    below.finish()
    return config
