"""Policy files that are not right: each is told with its file and line, and none opens a door."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.policy import PolicyError, load_policy
from libs.policy.files import MODEL_FILE, parse_until
from libs.policy.patterns import PatternError
from tests.unit.policy.people import ORDERS, resource, user

GOOD = "p, user:eve, *, fleet.read, schema, never, allow\n"
DBA = user("dora", roles=("dba",))

BAD_LINES = [
    ("p, user:eve, *, fleet.read, schema, never", "6 columns"),
    ("p, user:eve, *, fleet.read, schema, never, allow, allow", "6 columns"),
    ("p, eve, *, fleet.read, schema, never, allow", "not user:NAME"),
    ("p, user:\u0435ve, *, fleet.read, schema, never, allow", "in ASCII"),
    ("p, user:eve, nowhere, fleet.read, schema, never, allow", "key=value"),
    ("p, user:eve, planet=mars, fleet.read, schema, never, allow", "key=value"),
    ("p, user:eve, region=$own, fleet.read, schema, never, allow", "region=$own"),
    ("p, user:eve, region=a|, fleet.read, schema, never, allow", "empty"),
    ("p, user:eve, region=\u0435u, fleet.read, schema, never, allow", "ASCII"),
    ("p, user:eve, region=a region=b, fleet.read, schema, never, allow", "twice"),
    ("p, user:eve, , fleet.read, schema, never, allow", "where is empty"),
    ("p, user:eve, *, fleet.write, schema, never, allow", "not a permission"),
    ("p, user:eve, *, fleet*, schema, never, allow", "not a permission"),
    ("p, user:eve, *, storex.fleet.v1.FleetService/Drop, schema, never, allow", "not an RPC"),
    ("p, user:eve, *, fleet.read, customer, never, allow", "customer data never leaves"),
    ("p, user:eve, *, fleet.read, schema, soon, allow", "until"),
    ("p, user:eve, *, fleet.read, schema, 2027-01-01T00:00:00, allow", "until"),
    ("p, user:eve, *, fleet.read, schema, never, maybe", "allow or deny"),
    ("p, role:dbaa, *, fleet.read, schema, never, deny", "not declared"),
    ("g, user:eve, role:dbaa", "not declared"),
    ("g, user:eve, dba", "not role:NAME"),
    ("g, user:eve", "a role link is"),
    ("role, viewer, again", "declared already in roles.csv:11"),
    ("role, DBA", "lower case"),
    ("P, user:eve, *, fleet.read, schema, never, allow", "a line starts with"),
]


@pytest.mark.parametrize(("line", "told"), BAD_LINES)
def test_a_bad_line_is_told_with_its_place_and_nothing_is_loaded(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "mine.csv").write_text(f"# a comment\n{GOOD}\n{line}\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("mine.csv", 4)
    assert told in problem.message


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x\ny\n")
    (tmp_path / "two.csv").write_text("z\n")
    with pytest.raises(PolicyError, match=r"(?s)one.csv:1: .*one.csv:2: .*two.csv:1: "):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (GOOD.encode().rstrip(b"\n"), "cut short"),
        (GOOD.encode() + b"\xff\xfe\n", "UTF-8"),
        (b"p, user:eve, *, fleet.read, schema, never, allow\x00\n", "effect"),
    ],
)
def test_a_file_that_is_cut_or_not_text_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(PolicyError, match=told):
        load_policy(tmp_path)


def test_a_folder_that_is_not_there_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "gone")


def test_a_file_of_the_same_name_replaces_the_built_in_one_and_others_add_to_it(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(GOOD)
    assert load_policy(tmp_path).decide([DBA], "fleet.read", ORDERS).allowed
    assert load_policy(tmp_path).decide([user("eve")], "fleet.read", ORDERS).rule == "more.csv:1"
    (tmp_path / "roles.csv").write_text("role, dba, may do nothing here\n")
    assert not load_policy(tmp_path).decide([DBA], "fleet.read", ORDERS).allowed


def test_a_folder_cannot_change_the_model(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_text("[matchers]\nm = true\n")
    with pytest.raises(PolicyError, match="part of Storex"):
        load_policy(tmp_path)


def test_roles_that_inherit_from_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "links.csv").write_text("g, role:viewer, role:on-call\ng, role:on-call, role:viewer\n")
    with pytest.raises(PolicyError, match=r"links.csv:1: .* inherits from itself"):
        load_policy(tmp_path)


def test_where_files_disagree_the_deny_wins(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD.replace("schema, never, allow", "public, never, deny"))
    policy = load_policy(tmp_path)
    assert policy.decide([user("eve")], "fleet.read", ORDERS).rule == "b.csv:1"
    assert not policy.permitted_anywhere([user("eve")], "fleet.read")


def test_the_version_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    first = load_policy(tmp_path).version
    (tmp_path / "more.csv").write_text(GOOD)
    second = load_policy(tmp_path).version
    (tmp_path / "more.csv").rename(tmp_path / "other.csv")
    assert len({first, second, load_policy(tmp_path).version, load_policy(None).version}) == 3
    assert first == load_policy(None).version


def test_a_region_narrows_and_cannot_widen(tmp_path: Path) -> None:
    own = tmp_path / "regions" / "eu-west-1"
    own.mkdir(parents=True)
    (own / "night.csv").write_text("p, role:dba, environment=prod, diagnostics.read, principal, never, deny\n")
    (own / "lock.csv").write_text("p, *, team=search, *, public, never, deny\n")
    at_home, elsewhere = load_policy(tmp_path, region="eu-west-1"), load_policy(tmp_path, region="us-east-1")
    assert at_home.clear_classes([DBA], ORDERS, "diagnostics.read") == {"PUBLIC", "SCHEMA"}
    assert elsewhere.clear_classes([DBA], ORDERS, "diagnostics.read") == {"PUBLIC", "SCHEMA", "PRINCIPAL"}
    denied = at_home.decide([DBA], "fleet.read", resource(team="search"))
    assert (denied.allowed, denied.rule) == (False, "regions/eu-west-1/lock.csv:1")
    assert load_policy(tmp_path).decide([DBA], "fleet.read", resource(team="search")).allowed
    for line in (GOOD, "g, user:eve, role:dba\n", "role, dba2\n"):
        (own / "wide.csv").write_text(line)
        with pytest.raises(PolicyError, match="can only narrow"):
            load_policy(tmp_path, region="eu-west-1")


def test_until_is_the_first_moment_at_which_a_rule_no_longer_holds() -> None:
    assert parse_until("2027-01-15") == parse_until("2027-01-15T00:00:00Z") == 1_799_971_200.0
    assert parse_until("never") == float("inf")
    with pytest.raises(PatternError):
        parse_until("2027-1-5")
