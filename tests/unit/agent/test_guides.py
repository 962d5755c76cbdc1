"""What the guides show works as they say."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from libs.config import ConfigError, SpecialistSettings, load_config
from services.agent.prompts.prompt import PromptError, load_prompt
from services.agent.specialists.registry import configured, load_specialists
from services.agent.tools.registry import TOOLS
from services.agent.tools.tool import tool_from

_GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def _blocks(guide: str, language: str) -> list[str]:
    text = (_GUIDES / guide).read_text(encoding="utf-8")
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


def test_the_function_in_the_guide_is_a_tool(tmp_path: Path) -> None:
    (source,) = _blocks("add-a-tool.md", "python")
    path = tmp_path / "get_replica_state.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("get_replica_state", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schema = tool_from(module.get_replica_state).schema
    assert schema.parameters["required"] == ["name"]
    assert set(schema.parameters["properties"]) == {"name", "include_channels"}  # type: ignore[call-overload]


def test_the_specialist_in_the_guide_is_found_by_its_folder_alone(tmp_path: Path) -> None:
    settings, overriding = _blocks("add-a-specialist.md", "yaml")
    (prompt,) = _blocks("add-a-specialist.md", "markdown")
    folder, prompts = tmp_path / "specialists", tmp_path / "prompts"
    (folder / "archiving").mkdir(parents=True)
    (folder / "archiving" / "specialist.yaml").write_text(settings, encoding="utf-8")
    (prompts / "archiving").mkdir(parents=True)
    (prompts / "archiving" / "1.md").write_text(prompt, encoding="utf-8")
    loaded = load_specialists(TOOLS, folder, prompts)
    specialist = loaded["archiving"]
    assert [tool.name for tool in specialist.tools] == ["get_overview", "list_variables", "list_table_limits"]
    assert specialist.kinds == {"capacity.table_full"}
    assert (specialist.reads, specialist.calls) == (("list_table_limits",), 4)
    assert (specialist.model, specialist.steps, specialist.tokens) == ("house", 4, 20_000)
    assert specialist.prompt.render().startswith("Archiving.")
    changed = configured(loaded | load_specialists(TOOLS), _settings_in(overriding, tmp_path), TOOLS, prompts)
    assert [tool.name for tool in changed["archiving"].tools] == ["get_overview", "list_table_limits"]
    assert (changed["archiving"].steps, changed["archiving"].tokens, changed["lead"].model) == (6, 30_000, "house")


def _settings_in(text: str, tmp_path: Path) -> Mapping[str, SpecialistSettings]:
    path = tmp_path / "storex.yaml"
    path.write_text(f"regions: {{r: {{domain: eu, instances: {{}}}}}}\n{text}", encoding="utf-8")
    return load_config(path).agent.specialists


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("nobody: {steps: 2}", "no specialist 'nobody'"),
        ("lead: {tools: [dig]}", "no tool 'dig'"),
        ("lead: {prompt: lead@99}", "no prompt lead@99"),
        ("lead: {prompt: database@1}", "database@1 is no prompt for lead: it takes no variables"),
        ("database: {prompt: specialist@1}", "is no prompt for database"),
    ],
)
def test_a_specialists_settings_that_are_not_right_are_told_with_their_line(
    tmp_path: Path, settings: str, problem: str
) -> None:
    given = _settings_in(f"agent:\n  specialists:\n    {settings}\n", tmp_path)
    with pytest.raises(ConfigError, match=problem) as failure:
        configured(load_specialists(TOOLS), given, TOOLS)
    assert [found.line for found in failure.value.problems] == [4]


def test_the_prompt_in_the_guide_takes_what_the_lead_gives(tmp_path: Path) -> None:
    (text,) = _blocks("change-a-prompt.md", "markdown")
    (tmp_path / "lead").mkdir()
    (tmp_path / "lead" / "3.md").write_text(text, encoding="utf-8")
    assert load_prompt("lead@3", own=tmp_path).variables == load_specialists(TOOLS)["lead"].prompt.variables


def test_the_versions_that_the_guide_adds_do_not_come_with_storex(tmp_path: Path) -> None:
    guide = (_GUIDES / "change-a-prompt.md").read_text(encoding="utf-8")
    added = set(re.findall(r"in it `(\w+)/(\d+)\.md`|prompts: \{(\w+): \w+@(\d+)\}", guide))
    for name, version in ((one[0] or one[2], one[1] or one[3]) for one in added):
        with pytest.raises(PromptError):
            load_prompt(f"{name}@{version}", own=tmp_path)
