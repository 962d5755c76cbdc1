from __future__ import annotations

from pathlib import Path

import pytest

from services.agent.prompts.prompt import PromptError, load_prompt
from services.agent.specialists.registry import LEAD, SpecialistError, load_specialist, load_specialists
from services.agent.tools.registry import TOOLS


def _prompt(folder: Path, text: str) -> None:
    (folder / "lead").mkdir(exist_ok=True)
    (folder / "lead" / "1.md").write_text(text)


def test_a_prompt_is_filled_with_exactly_its_variables(tmp_path: Path) -> None:
    _prompt(tmp_path, "variables: target\nLook at {{target}}.")
    prompt = load_prompt("lead@1", tmp_path)
    assert prompt.render(target="{{other}}") == "Look at {{other}}."
    with pytest.raises(PromptError, match="takes"):
        prompt.render()


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("lead@1", "variables: target\nNothing used."),
        ("lead@1", "variables:\nUses {{target}}."),
        ("lead@1", "No header."),
        ("lead@2", "variables:\nFine."),
        ("../lead@1", "variables:\nFine."),
        ("lead", "variables:\nFine."),
    ],
)
def test_a_prompt_that_is_not_right_is_refused(tmp_path: Path, reference: str, text: str) -> None:
    _prompt(tmp_path, text)
    with pytest.raises(PromptError):
        load_prompt(reference, tmp_path)


def test_every_specialist_loads_and_the_lead_comes_first() -> None:
    specialists = load_specialists(TOOLS)
    assert next(iter(specialists)) == LEAD
    assert set(TOOLS) == {tool.name for specialist in specialists.values() for tool in specialist.tools}


@pytest.mark.parametrize(
    "settings", ["prompt: lead@1", "prompt: lead@1\ntools: [dig]", "[a, list]", "prompt: lead@1\ntools: []\nmore: 1"]
)
def test_a_specialist_that_is_not_right_is_refused(tmp_path: Path, settings: str) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "specialist.yaml").write_text(settings)
    with pytest.raises(SpecialistError):
        load_specialist("odd", TOOLS, tmp_path)
