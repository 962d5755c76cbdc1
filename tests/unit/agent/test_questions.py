from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ModelsConfig
from libs.core.errors import Reason, StorexError
from libs.llm import Endpoint
from services.agent.config import AgentConfig, read_config
from services.agent.reasoners.builtin.intent import asks_about_the_past, aspects_of, connection_asked_about
from services.agent.report.draft import Aspect
from services.agent.target import parse_target


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("regions/eu-west-1/instances/orders-1", "regions/eu-west-1/instances/orders-1", ()),
        ("regions/eu-west-1", "regions/eu-west-1/instances/-", ()),
        ("services/orders", "regions/-/instances/-", (("service", "orders"),)),
    ],
)
def test_targets(text: str, name: str, labels: tuple[tuple[str, str], ...]) -> None:
    target = parse_target(text)
    assert str(target.name) == name
    assert target.labels == labels


@pytest.mark.parametrize("text", ["", "services/", "services/a/b", "services/-", "orders-1", "regions/-", "regions/A"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(StorexError) as failure:
        parse_target(text)
    assert failure.value.reason in (Reason.REQUEST_INVALID, Reason.NAME_INVALID, Reason.WILDCARD_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("question", "aspects"),
    [
        ("which client?", (Aspect.WHO,)),
        ("who is it", (Aspect.WHO,)),
        ("what program holds it?", (Aspect.WHO,)),
        ("safe to kill it?", (Aspect.KILL,)),
        ("can I kill 812 now?", (Aspect.KILL,)),
        ("which table is it on?", (Aspect.WHAT,)),
        ("what query is it?", (Aspect.WHAT,)),
        ("is it safe to kill, and which client is it?", (Aspect.WHO, Aspect.KILL)),
        ("what can I do now?", (Aspect.STEPS,)),
        ("since when?", (Aspect.WHEN,)),
        ("what should I do?", (Aspect.STEPS,)),
        ("is it still slow?", ()),
        ("and last night?", ()),
        ("why is payments slow?", ()),
        ("hm", ()),
    ],
)
def test_what_a_follow_up_asks_for(question: str, aspects: tuple[Aspect, ...]) -> None:
    assert aspects_of(question) == aspects


def test_the_past_and_connection_ids_are_recognised() -> None:
    assert asks_about_the_past("and last night?")
    assert asks_about_the_past("what happened at 02:30?")
    assert not asks_about_the_past("why is it slow?")
    assert connection_asked_about("kill 812?") == "812"
    assert connection_asked_about("kill it?") == ""


def _config(models: ModelsConfig, endpoint: Endpoint | None = None) -> AgentConfig:
    return AgentConfig(
        listen="127.0.0.1:0",
        coordinator="127.0.0.1:1",
        token_file=Path("token"),
        state_dir=Path("state"),
        domains={"eu-west-1": "gdpr", "us-east-1": "us"},
        models=models,
        environment_endpoint=endpoint,
    )


def test_without_an_endpoint_there_is_no_model() -> None:
    assert _config(ModelsConfig()).endpoints_for(parse_target("regions/eu-west-1")) == []


def test_the_environments_endpoint_is_used_only_where_the_configuration_lists_none() -> None:
    endpoint = Endpoint("openai", "http://127.0.0.1:1/v1", "small")
    assert _config(ModelsConfig(), endpoint).endpoints_for(parse_target("regions/eu-west-1")) == [endpoint]


def test_an_endpoint_without_a_model_is_told_at_the_start_and_in_reports(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pw").write_text("x")
    path = tmp_path / "storex.yaml"
    instance = "{host: 127.0.0.1, port: 3306, user: storex, password_file: pw, team: t}"
    path.write_text(f"regions:\n  eu-west-1: {{domain: gdpr, instances: {{a: {instance}}}}}\n")
    arguments = ["--config", str(path), "--listen", "127.0.0.1:0", "--coordinator", "127.0.0.1:1", "--token-file", "t"]
    config = read_config(arguments, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert "STOREX_MODEL is not" in caplog.text
    assert [code for code, _ in config.notes] == ["MODEL_NOT_NAMED"]
    named = read_config(arguments, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "STOREX_MODEL": "small"})
    assert named.notes == ()


def test_every_domain_that_a_target_reaches_must_allow_an_endpoint(tmp_path: Path) -> None:
    from libs.config import load_config

    path = tmp_path / "storex.yaml"
    (tmp_path / "pw").write_text("x")
    instance = "{host: 127.0.0.1, port: 3306, user: storex, password_file: pw, team: t}"
    path.write_text(
        "regions:\n"
        f"  eu-west-1: {{domain: gdpr, instances: {{a: {instance}}}}}\n"
        f"  us-east-1: {{domain: us, instances: {{b: {instance}}}}}\n"
        "models:\n"
        "  endpoints:\n"
        "    local: {base_url: 'http://127.0.0.1:1/v1', model: small}\n"
        "    cloud: {base_url: 'http://127.0.0.1:2/v1', model: large}\n"
        "  domains: {us: [cloud, local], gdpr: [local]}\n"
    )
    config = _config(load_config(path).models, Endpoint("openai", "http://127.0.0.1:3/v1", "other"))
    labels = {
        text: [endpoint.label for endpoint in config.endpoints_for(parse_target(text))]
        for text in ("regions/eu-west-1", "regions/us-east-1", "services/orders")
    }
    assert labels == {
        "regions/eu-west-1": ["local"],
        "regions/us-east-1": ["cloud", "local"],
        "services/orders": ["local"],
    }
