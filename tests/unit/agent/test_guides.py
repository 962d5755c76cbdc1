"""What the guides show works as they say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from services.agent.prompts.prompt import load_prompt
from services.agent.specialists.registry import load_specialists
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
    (settings,) = _blocks("add-a-specialist.md", "yaml")
    (prompt,) = _blocks("add-a-specialist.md", "markdown")
    folder, prompts = tmp_path / "specialists", tmp_path / "prompts"
    (folder / "archiving").mkdir(parents=True)
    (folder / "archiving" / "specialist.yaml").write_text(settings, encoding="utf-8")
    (prompts / "archiving").mkdir(parents=True)
    (prompts / "archiving" / "1.md").write_text(prompt, encoding="utf-8")
    specialist = load_specialists(TOOLS, folder, prompts)["archiving"]
    assert [tool.name for tool in specialist.tools] == ["get_overview", "list_variables", "list_table_limits"]
    assert specialist.kinds == {"capacity.table_full"}
    assert (specialist.reads, specialist.calls) == (("list_table_limits",), 4)
    assert specialist.prompt.render().startswith("Archiving.")


def test_the_prompt_in_the_guide_takes_what_the_lead_gives(tmp_path: Path) -> None:
    (text,) = _blocks("change-a-prompt.md", "markdown")
    (tmp_path / "lead").mkdir()
    (tmp_path / "lead" / "2.md").write_text(text, encoding="utf-8")
    assert load_prompt("lead@2", tmp_path).variables == load_specialists(TOOLS)["lead"].prompt.variables
