from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ModelsConfig
from libs.core.catalogue import CATALOGUE
from libs.core.errors import Reason, StorexError
from libs.llm import Endpoint
from services.agent.config import AgentConfig, read_config
from services.agent.inquiry import Inquiry
from services.agent.reasoners.builtin.intent import connection_asked_about, intent_of
from services.agent.reasoners.builtin.others import named_beside
from services.agent.reasoners.builtin.spelling import corrected
from services.agent.reasoners.builtin.tell import is_thanks
from services.agent.report.draft import Aspect, Topic
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


def _aspects(question: str) -> set[Aspect]:
    return set(intent_of(question).aspects)


@pytest.mark.parametrize(
    ("question", "aspects"),
    [
        ("which client?", {Aspect.WHO}),
        ("Which client is it", {Aspect.WHO}),
        ("who is it", {Aspect.WHO}),
        ("what program holds it?", {Aspect.WHO}),
        ("which app does that?", {Aspect.WHO}),
        ("who's behind it?", {Aspect.WHO}),
        ("safe to kill it?", {Aspect.KILL}),
        ("can I kill 812 now?", {Aspect.KILL}),
        ("is it ok if I terminate the session?", {Aspect.KILL}),
        ("which table is it on?", {Aspect.WHAT}),
        ("what query is it?", {Aspect.WHAT}),
        ("is it safe to kill, and which client is it?", {Aspect.WHO, Aspect.KILL}),
        ("what can I do now?", {Aspect.STEPS}),
        ("since when?", {Aspect.WHEN}),
        ("when did it start?", {Aspect.WHEN}),
        ("how long has it been like this?", {Aspect.WHEN}),
        ("what should I do?", {Aspect.STEPS}),
        ("how do I fix it?", {Aspect.STEPS}),
        ("how can we solve this?", {Aspect.STEPS}),
        ("next step?", {Aspect.STEPS}),
        ("why?", {Aspect.WHY}),
        ("but why is that?", {Aspect.WHY}),
        ("how come?", {Aspect.WHY}),
        ("explain", {Aspect.WHY}),
        ("what caused it?", {Aspect.WHY}),
        ("is it still happening?", {Aspect.STILL}),
        ("still slow?", {Aspect.STILL}),
        ("is it gone?", {Aspect.STILL}),
        ("has it recovered yet?", {Aspect.STILL}),
        ("is payments healthy?", {Aspect.WELL}),
        ("is everything ok?", {Aspect.WELL}),
        ("how is orders doing?", {Aspect.WELL}),
        ("anything wrong?", {Aspect.WELL}),
        ("is it getting worse?", {Aspect.TREND}),
        ("worse?", {Aspect.TREND}),
        ("is it over", {Aspect.STILL}),
        ("is it fixed now", {Aspect.STILL}),
        ("are you sure?", {Aspect.SURE}),
        ("how do you know", {Aspect.SURE}),
        ("show me the evidence", {Aspect.SURE}),
        ("what else could it be", {Aspect.SURE}),
        ("what is the impact", {Aspect.IMPACT}),
        ("how bad is it", {Aspect.IMPACT}),
        ("how many users are affected", {Aspect.IMPACT}),
        ("can I restart it?", {Aspect.RESTART}),
        ("should we fail over?", {Aspect.RESTART}),
        ("is it safe to restart the server?", {Aspect.RESTART}),
        ("and the table?", {Aspect.WHAT}),
        ("what should I do first?", {Aspect.STEPS}),
        ("whihc client", {Aspect.WHO}),
        ("why is payments slow?", set()),
        ("who owns it?", set()),
        ("and last night?", set()),
        ("hm", set()),
    ],
)
def test_what_a_follow_up_asks_for(question: str, aspects: set[Aspect]) -> None:
    assert _aspects(question) >= aspects
    if not aspects:
        assert not _aspects(question)


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("who owns it?", Topic.OWNERS),
        ("who should I call?", Topic.OWNERS),
        ("who is on call for this?", Topic.OWNERS),
        ("which team is responsible?", Topic.OWNERS),
        ("what changed?", Topic.CHANGES),
        ("was anything deployed?", Topic.CHANGES),
        ("any recent changes", Topic.CHANGES),
        ("what is normal here?", Topic.METRICS),
        ("which versions do we run?", Topic.VERSIONS),
        ("which instances are down?", Topic.AVAILABILITY),
        ("which other instances have that?", Topic.WORST),
        ("where is it worst?", Topic.WORST),
        ("have we seen this before?", Topic.SESSIONS),
        ("what did you find last time?", Topic.SESSIONS),
        ("top queries?", Topic.STATEMENTS),
    ],
)
def test_what_a_question_wants_to_be_told(question: str, topic: Topic) -> None:
    assert topic in intent_of(question).topics


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("why can't we write?", "config.read_only"),
        ("inserts fail, is the server read only?", "config.read_only"),
        ("replica behind?", "replication.lag"),
        ("is replication broken?", "replication.error"),
        ("how far behind is the standby?", "replication.lag"),
        ("disk or counters running out?", "capacity.auto_increment"),
        ("are we out of disk space", "capacity.disk_full"),
        ("login errors", "access.auth_failed"),
        ("people can't log in", "access.auth_failed"),
        ("access denied for our app", "access.auth_failed"),
        ("too many connections", "connections.exhausted"),
        ("who is leaking connections?", "connections.leak"),
        ("everything is blocked", "lock.row_blocker"),
        ("deadlocks?", "lock.deadlock"),
        ("the alter table hangs", "lock.metadata"),
        ("is an index missing?", "query.missing_index"),
        ("are queries spilling to disk", "query.temp_spill"),
        ("did traffic spike?", "traffic.spike"),
        ("is there a retry storm", "traffic.retry_storm"),
        ("is purge lagging, the history list is long", "innodb.purge_lag"),
        ("is the redo log too small", "innodb.redo_stall"),
        ("commits are slow", "innodb.flush_per_commit"),
        ("is the buffer pool too small", "innodb.buffer_pool"),
        ("did somebody change the config?", "config.change"),
        ("is a migration running?", "maintenance.ddl"),
        ("is a backup running?", "maintenance.backup"),
    ],
)
def test_a_question_in_free_words_is_about_its_family(question: str, kind: str) -> None:
    assert kind in intent_of(question).kinds


def test_every_family_can_be_asked_about() -> None:
    words = {
        "lock": "locks",
        "query": "queries",
        "traffic": "traffic",
        "connections": "connections",
        "innodb": "undo",
        "replication": "replication",
        "config": "settings",
        "capacity": "disk",
        "maintenance": "backup",
        "access": "logins",
    }
    for entry in CATALOGUE.values():
        assert any(kind.startswith(f"{entry.family}.") for kind in intent_of(words[entry.family]).kinds), entry.id


@pytest.mark.parametrize(
    "question",
    [
        "why is it slow?",
        "what's wrong?",
        "checkout is broken",
        "customers see timeouts",
        "help, everything is on fire and the db does not respond",
        "latency went up since 08:00",
        "what is going on?",
        "the page said high load",
        "db is on fire",
        "help",
        "slow",
        "slwo!!",
        "databse is brokn",
        "deadlokcs",
        "connectoins exhausted",
        "warum ist die datenbank so langsam",
        "datenbank h\u00e4ngt",
        "pourquoi la base est lente",
        "conexiones agotadas",
        "' OR 1=1; DROP TABLE users; --",
    ],
)
def test_a_cry_for_help_is_understood(question: str) -> None:
    assert intent_of(question).understood
    assert not intent_of(question).facts_only


@pytest.mark.parametrize(
    "question", ["write me a poem about the sea", "hm", "asdf qwer", "what is the capital of France"]
)
def test_what_has_nothing_to_do_with_databases_is_not_understood(question: str) -> None:
    assert not intent_of(question).understood


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("why is it slwo", "why is it slow"),
        ("replciation lag", "replication lag"),
        ("conections", "connections"),
        ("connecttions", "connections"),
        ("look at the clock", "look at the clock"),
        ("salary of bob", "salary of bob"),
        ("orders_app on shop.orders", "orders_app on shop.orders"),
        ("list slots", "list slots"),
    ],
)
def test_slips_of_the_keyboard_are_read_as_they_were_meant(typed: str, meant: str) -> None:
    assert corrected(typed) == meant


@pytest.mark.parametrize("text", ["thanks", "thx!", "ok", "Great, thanks", "merci", "got it"])
def test_thanks_are_no_question(text: str) -> None:
    assert is_thanks(text)


@pytest.mark.parametrize("text", ["is it ok?", "thanks, and who owns it?", "ok so which client", ""])
def test_a_question_is_no_thanks(text: str) -> None:
    assert not is_thanks(text)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("why is orders-2 slow", ("orders-2",)),
        ("is orders-1 or orders-2 the problem?", ("orders-2",)),
        ("compare with regions/us-east-1/instances/orders-2", ("regions/us-east-1/instances/orders-2",)),
        ("why is orders-1 slow in eu-west-1", ()),
        ("why is it slow since 02-11?", ()),
        ("is orders-1-replica behind?", ("orders-1-replica",)),
        ("is orders-1 slow since release-42?", ()),
        ("what are the top-10 statements, and is utf-8 to blame for error-1062?", ()),
        ("why does the instance release-42 lag?", ("release-42",)),
    ],
)
def test_other_instances_are_seen_in_a_question(question: str, names: tuple[str, ...]) -> None:
    target = parse_target("regions/eu-west-1/instances/orders-1")
    found = named_beside(Inquiry("ses_1", target, question, 0.0, 600.0))
    assert found == names


def test_connection_ids_are_recognised() -> None:
    assert connection_asked_about("kill 812?") == "812"
    assert connection_asked_about("kill it?") == ""
    assert connection_asked_about("kill it since 02:30?") == ""


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
