"""The sections `models` and `agent`."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ConfigError, ModelBudget, load_config

_REFERENCE = Path(__file__).parents[3] / "docs/reference/models.md"
_REGIONS = "regions: {eu-west-1: {domain: eu, instances: {}}}\n"


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "storex.yaml"
    path.write_text(_REGIONS + text)
    return path


def test_the_example_of_the_reference_is_read(tmp_path: Path) -> None:
    example = _REFERENCE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    config = load_config(_written(tmp_path, example))
    (endpoint,) = config.models.allowed(["eu"])
    assert (endpoint.api, endpoint.price.input, endpoint.price.output) == ("chat", 0.25, 1.0)
    assert config.models.budgets.user == ModelBudget(tokens=200000, cost=2.0)
    assert config.models.budgets.teams["payments"] == ModelBudget(cost=50.0)
    assert config.agent.cost == 0.5
    assert (endpoint.context_tokens, endpoint.max_output_tokens) == (8192, 1024)
    assert config.agent.specialists["database"].model == "house"
    assert config.agent.specialists["lead"].prompt == "compact@1"
    assert config.agent.tools["stream_health"].seconds == 30.0


def test_the_example_for_a_small_model_is_read(tmp_path: Path) -> None:
    example = _REFERENCE.read_text(encoding="utf-8").split("```yaml\n")[2].split("```")[0]
    config = load_config(_written(tmp_path, example))
    (endpoint,) = config.models.allowed(["eu"])
    assert (endpoint.context_tokens, endpoint.max_output_tokens) == (8192, 400)
    assert config.agent.specialists["lead"].tools[0] == "get_health"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("agent:\n  steps: 0\n", 3, "must be from 1 to 1000"),
        ("agent:\n  wall_seconds: .inf\n", 3, "must be a number"),
        ("agent:\n  speed: 3\n", 3, "unknown key 'speed'"),
        ("agent:\n  specialists:\n    lead: {steps: 0}\n", 4, "must be from 1 to 100"),
        ("agent:\n  prompts: [a]\n", 3, "must be text"),
        ("agent:\n  tools:\n    get_health: {}\n", 4, "is missing"),
        ("models:\n  budgets:\n    user: {cost: -1}\n", 4, "must be a number"),
        ("models:\n  endpoints:\n    a: {base_url: 'http://x', model: m, api: soap}\n", 4, "no interface"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load_config(_written(tmp_path, text))
    assert [found.line for found in failure.value.problems] == [line]
    assert problem in str(failure.value)
