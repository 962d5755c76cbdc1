"""The section `judge`."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ConfigError, JudgeConfig, load_config

_REGIONS = "regions: {eu-west-1: {domain: eu, instances: {}}}\n"
_MODELS = "models: {endpoints: {grader: {base_url: 'http://x', model: m}}}\n"


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "storex.yaml"
    path.write_text(_REGIONS + _MODELS + text)
    return path


def test_nobody_grades_unless_it_is_configured(tmp_path: Path) -> None:
    assert load_config(_written(tmp_path, "")).judge == JudgeConfig(models=(), kappa=0.6, labels=20)
    some = load_config(_written(tmp_path, "judge: {models: [grader], kappa: 0, labels: 50}\n"))
    assert some.judge == JudgeConfig(models=("grader",), kappa=0.0, labels=50)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("judge: {models: [other]}\n", "names 'other', which is no endpoint"),
        ("judge: {kappa: 1.5}\n", "must be from 0 to 1"),
        ("judge: {labels: 0}\n", "must be from 1"),
        ("judge: {model: grader}\n", "unknown key 'model'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load_config(_written(tmp_path, text))
    assert [found.line for found in failure.value.problems] == [3]
    assert problem in str(failure.value)
