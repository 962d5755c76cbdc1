from __future__ import annotations

from pathlib import Path

import pytest

from libs.core.catalogue import CATALOGUE
from services.agent.prompts.prompt import PromptError, load_prompt
from services.agent.reasoners.builtin.delegation import delegated
from services.agent.report.draft import DraftCause
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


def test_a_folder_of_ones_own_adds_versions_and_replaces_none(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    _prompt(tmp_path, "variables:\nTheirs.")
    _prompt(own, "variables:\nMine.")
    (own / "lead" / "1.md").rename(own / "lead" / "2.md")
    assert [load_prompt(f"lead@{version}", tmp_path, own).text for version in (1, 2)] == ["Theirs.", "Mine."]
    (own / "lead" / "1.md").write_text("variables:\nAlso mine.")
    with pytest.raises(PromptError, match="another version"):
        load_prompt("lead@1", tmp_path, own)


def test_every_specialist_loads_and_the_lead_comes_first() -> None:
    specialists = load_specialists(TOOLS)
    assert next(iter(specialists)) == LEAD
    assert list(specialists)[1:] == ["capacity", "database", "replication", "traffic"]
    assert set(TOOLS) == {tool.name for specialist in specialists.values() for tool in specialist.tools}


@pytest.mark.parametrize(
    "settings",
    [
        "prompt: lead@1",
        "prompt: lead@1\ntools: [dig]",
        "[a, list]",
        "prompt: lead@1\ntools: []\nmore: 1",
        "prompt: database@1\ntools: []\nkinds: [weather]",
        "prompt: database@1\ntools: []\nreads: [get_health]",
        "prompt: database@1\ntools: [get_metric_history]\nreads: [get_metric_history]",
        "prompt: database@1\ntools: []\ncalls: -1",
        "prompt: database@1\ntools: []\ncalls: many",
        "prompt: database@1\ntools: []\nsteps: 0",
    ],
)
def test_a_specialist_that_is_not_right_is_refused(tmp_path: Path, settings: str) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "specialist.yaml").write_text(settings)
    with pytest.raises(SpecialistError):
        load_specialist("odd", TOOLS, tmp_path)


def test_every_cause_is_the_business_of_exactly_one_specialist() -> None:
    specialists = load_specialists(TOOLS).values()
    for kind in CATALOGUE:
        assert len([one.name for one in specialists if kind in one.kinds]) == 1, kind


def test_the_lead_delegates_each_cause_and_no_specialist_reads_more_than_it_may() -> None:
    specialists = load_specialists(TOOLS)
    causes = [DraftCause("replication.lag", f"regions/r/instances/i-{n}", 0.9, ()) for n in range(5)]
    requests, plan = delegated(
        [*causes, DraftCause("lock.row_blocker", "regions/r/instances/i-9", 0.9, ())], specialists
    )
    assert [line.split(":")[0] for line in plan] == ["database", "replication"]
    assert len(requests) == specialists["replication"].calls
    assert {request.tool for request in requests} == {"get_replication", "list_transactions"}
