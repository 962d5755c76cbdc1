from __future__ import annotations

from pathlib import Path

import pytest

from libs.config import ConfigError, StorexConfig, load_config

FULL = """\
state_dir: state
users: {payments-oncall: {teams: [payments], roles: [on-call]}}
regions:
  eu-west-1:
    domain: gdpr
    cloud: aws
    environment: prod
    instances:
      orders-1: {host: 127.0.0.1, port: 3306, user: storex, password_env: ORDERS_PW, team: payments,
                 labels: {service: orders}}
      orders-2: {host: 127.0.0.1, port: 3307, user: storex, password_file: secrets/orders, team: payments,
                 tls: {ca: ca.pem}, logs: {slow: /path, error: /path}}
"""
MINIMAL = """\
regions:
  r1:
    domain: d
    instances:
      a: {host: h, port: 1, user: u, password_env: P, team: t}
"""


def load(tmp_path: Path, text: str, *, check_files: bool = False) -> StorexConfig:
    path = tmp_path / "storex.yaml"
    path.write_text(text)
    return load_config(path, check_files=check_files)


def problems(tmp_path: Path, text: str, *, check_files: bool = False) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, check_files=check_files)
    for problem in caught.value.problems:
        assert problem.file == tmp_path / "storex.yaml"
        assert problem.remedy
        assert str(problem) in str(caught.value)
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_the_documented_file_is_read_whole(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    assert config.state_dir == tmp_path / "state"
    assert config.users["payments-oncall"].teams == ("payments",)
    assert config.users["payments-oncall"].roles == ("on-call",)
    region = config.regions["eu-west-1"]
    assert (region.domain, region.cloud, region.environment) == ("gdpr", "aws", "prod")
    first, second = region.instances.values()
    assert (first.host, first.port, first.user, first.team) == ("127.0.0.1", 3306, "storex", "payments")
    assert (first.labels, first.password_env, first.password_file) == ({"service": "orders"}, "ORDERS_PW", None)
    assert second.password_file == tmp_path / "secrets/orders"
    assert second.tls is not None
    assert second.tls.ca == tmp_path / "ca.pem"
    assert second.logs.slow == Path("/path")
    assert str(second.resource_name) == "regions/eu-west-1/instances/orders-2"
    assert region.resource(second).team == "payments"
    assert list(config.instances) == [first, second]


def test_all_else_is_optional_and_admin_is_always_there(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.state_dir == tmp_path / ".storex"
    assert config.users["admin"].roles == ("dba",)
    assert (config.policy, config.egress, config.models.allowed(["d"])) == (None, None, [])


def test_explaining_is_allowed_for_a_region_or_an_instance_and_else_for_none(tmp_path: Path) -> None:
    def allowed(region: str, instance: str) -> bool:
        inside = f"host: h, port: 1, user: u, password_env: P, team: t{instance}"
        text = f"regions: {{r: {{domain: d{region}, instances: {{i: {{{inside}}}}}}}}}"
        return load(tmp_path, text).regions["r"].instances["i"].explain

    allow = ", explain: true"
    assert [allowed("", ""), allowed(allow, ""), allowed("", allow)] == [False, True, True]
    assert not allowed(allow, ", explain: false")


def test_a_moved_line_is_not_a_change(tmp_path: Path) -> None:
    before = load(tmp_path, MINIMAL)
    assert load(tmp_path, "# a comment\n\n" + MINIMAL) == before
    assert load(tmp_path, MINIMAL.replace("port: 1", "port: 2")) != before


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
state_dirr: x
users: {me: {teams: payments}, admin: {}}
regions:
  EU:
    environment: on
    instances:
      a: {host: h, port: "3306", usr: u, team: t, labels: {v: 3}}
      a: {host: h}
      b:
      c: {host: h, port: 70000, user: u, password_env: P, password_file: f, team: t, tls: {cert: c}}
models: {endpoints: {m: {base_url: x, model: y}}, domains: {gdpr: [n]}}
"""
    assert problems(tmp_path, text) == [
        (1, "unknown key 'state_dirr'"),
        (2, "users.me.teams must be a list of words"),
        (2, "users must not define 'admin', which is always there"),
        (4, "'EU' cannot name a region"),
        (4, "regions.EU.domain is missing"),
        (5, "regions.EU.environment must be text"),
        (7, "regions.EU.instances.a.password_env is missing"),
        (7, "regions.EU.instances.a.port must be a whole number"),
        (7, "regions.EU.instances.a.user is missing"),
        (7, "regions.EU.instances.a.labels.v must be text"),
        (7, "regions.EU.instances.a: unknown key 'usr'"),
        (8, "regions.EU.instances: 'a' is given twice, first on line 7"),
        (9, "regions.EU.instances.b is empty"),
        (10, "regions.EU.instances.c.password_file is given beside password_env"),
        (10, "regions.EU.instances.c.port must be from 1 to 65535"),
        (10, "regions.EU.instances.c.tls.cert and `key` belong together"),
        (11, "models.endpoints.m.base_url is not an http address"),
        (11, "models.domains lets 'gdpr' use 'n', which is no endpoint"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "holds no settings"),
        ("- a\n", 0, "holds no settings"),
        ("state_dir: x\n", 1, "regions is missing"),
        ("regions: 3\n", 1, "regions must be a mapping"),
        ("regions:\n  a: [\n", 3, "not valid YAML"),
        ("regions: {? [a] : b}\n", 1, "regions: a key must be a word"),
        (MINIMAL.replace("port: 1", "port: 1:30"), 5, "regions.r1.instances.a.port must be from 1 to 65535"),
        (MINIMAL.replace("port: 1", "port: -1"), 5, "regions.r1.instances.a.port must be from 1 to 65535"),
        (MINIMAL.replace("host: h", "host: ' '"), 5, "regions.r1.instances.a.host is empty"),
        (MINIMAL.replace("    domain: d", "    domain: d\n    shard: nine"), 4, "regions.r1.shard is not an address"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, text: str, line: int, message: str) -> None:
    assert any(number == line and message in said for number, said in problems(tmp_path, text))


def test_a_missing_file_and_a_file_that_is_not_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(tmp_path / "binary.yaml")


def test_files_are_checked_only_when_asked(tmp_path: Path) -> None:
    load(tmp_path, FULL)
    assert [line for line, _ in problems(tmp_path, FULL + "policy: rules\negress: e.yaml\n", check_files=True)] == [
        11,
        12,
        13,
        14,
    ]
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/orders").write_text("pw")
    (tmp_path / "ca.pem").write_text("")
    load(tmp_path, FULL, check_files=True)


def test_instances_can_share_settings_through_a_merge(tmp_path: Path) -> None:
    text = MINIMAL.replace("a: {", "a: &a {") + "      b: {<<: *a, port: 2}\n"
    first, second = load(tmp_path, text).regions["r1"].instances.values()
    assert (first.port, second.port, second.host, second.name) == (1, 2, "h", "b")


def test_a_merge_into_itself_ends(tmp_path: Path) -> None:
    assert problems(tmp_path, "regions: &r\n  <<: {<<: *r}\n  a: {domain: d}\n") == [
        (3, "regions.a.instances is missing")
    ]


def test_passwords_are_read_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = load(tmp_path, FULL).instances
    monkeypatch.setenv("ORDERS_PW", "one")
    assert first.password() == "one"
    monkeypatch.setenv("ORDERS_PW", "two")
    assert first.password() == "two"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/orders").write_text(" from file \n")
    assert second.password() == " from file "


def test_an_unreadable_password_names_its_source_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDERS_PW", raising=False)
    first, second = load(tmp_path, FULL).instances
    with pytest.raises(ConfigError, match=r"storex.yaml:9: the environment variable ORDERS_PW is not set. Set it"):
        first.password()
    with pytest.raises(ConfigError, match=r"storex.yaml:11: password_file .*secrets/orders cannot be read"):
        second.password()


MODELS = """\
models:
  endpoints:
    big: {base_url: "https://big.example/v1", model: b, api_key_env: BIG_KEY}
    near: {base_url: "http://near.example/v1", model: n}
  domains: {gdpr: [near], us: [big, near], elsewhere: [big]}
"""


def test_a_model_is_used_only_where_every_domain_allows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = load(tmp_path, MINIMAL + MODELS).models

    def allowed(*domains: str) -> list[str]:
        return [endpoint.name for endpoint in models.allowed(domains)]

    assert allowed("us") == ["big", "near"]
    assert allowed("us", "gdpr") == ["near"]
    assert allowed("elsewhere", "gdpr") == []
    assert allowed("unlisted") == allowed() == []
    monkeypatch.setenv("BIG_KEY", "k")
    assert models.endpoints["big"].api_key() == "k"
    assert models.endpoints["near"].api_key() is None


def test_a_missing_secret_is_told_at_the_line_of_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORDERS_PW", raising=False)
    path = tmp_path / "storex.yaml"
    keys = "host: h|port: 1|user: u|password_env: ORDERS_PW|team: t".replace("|", "\n        ")
    path.write_text(f"regions:\n  eu:\n    domain: d\n    instances:\n      a:\n        {keys}\n")
    (instance,) = load_config(path).instances
    with pytest.raises(ConfigError, match=r"storex.yaml:9: the environment variable ORDERS_PW is not set"):
        instance.password()


def test_labels_are_kept_without_what_looks_like_customer_data(tmp_path: Path) -> None:
    config = load(tmp_path, FULL.replace("{service: orders}", "{service: orders, owner: ann@example.com}"))
    labels = config.regions["eu-west-1"].instances["orders-1"].labels
    assert labels["service"] == "orders"
    assert "ann" not in labels["owner"]
