from __future__ import annotations

from pathlib import Path

import pytest

from libs.config.errors import ConfigError
from libs.core.watched import SETTLE_SECONDS
from libs.identity.principal import Caller, Principal
from services.shard.egress.rules import EgressRules, Treatment, load_rules, watch_rules
from tests.clock import ManualClock

CLEAR, TOKEN, DROP = Treatment.CLEAR, Treatment.TOKEN, Treatment.DROP
DOMAINS = ("gdpr", "us")


def _caller(*roles: str, actor: str = "") -> Caller:
    def principal(subject: str, names: tuple[str, ...]) -> Principal:
        kind = "user" if subject.startswith("user") else "service"
        return Principal(subject, kind, frozenset(), frozenset(names), 2e9)  # type: ignore[arg-type]

    return Caller(principal("user:u", roles), principal(f"service:{actor}", (actor,)) if actor else None)


def _load(tmp_path: Path, text: str, roles: tuple[str, ...] | None = None) -> EgressRules:
    path = tmp_path / "egress.yaml"
    path.write_text(text)
    return load_rules(path, domains=DOMAINS, roles=roles)


FILE = """
domains:
  gdpr:
    roles: {dba: clear, on-call: token, agent: token}
    others: drop
  "*":
    roles: {sre: clear}
"""


@pytest.mark.parametrize(
    ("domain", "caller", "treatment"),
    [
        ("gdpr", _caller("dba"), CLEAR),
        ("gdpr", _caller("on-call"), TOKEN),
        ("gdpr", _caller("on-call", "dba"), CLEAR),
        ("gdpr", _caller("viewer"), DROP),
        ("gdpr", _caller("viewer", "on-call"), TOKEN),
        ("gdpr", _caller(), DROP),
        ("gdpr", _caller("dba", actor="agent"), TOKEN),
        ("gdpr", _caller("dba", actor="judge"), CLEAR),
        ("gdpr", _caller("viewer", actor="agent"), DROP),
        ("us", _caller("dba"), TOKEN),
        ("us", _caller("sre"), CLEAR),
    ],
)
def test_a_domain_treats_roles_as_its_rule_says(
    tmp_path: Path, domain: str, caller: Caller, treatment: Treatment
) -> None:
    assert _load(tmp_path, FILE).treatment(domain, caller) is treatment


@pytest.mark.parametrize(
    ("caller", "treatment"),
    [
        (_caller("dba"), CLEAR),
        (_caller("on-call", actor="agent"), CLEAR),
        (_caller("viewer"), TOKEN),
        (_caller("sre"), TOKEN),
        (_caller(), TOKEN),
    ],
)
def test_without_a_file_on_call_and_dba_see_principals(caller: Caller, treatment: Treatment) -> None:
    rules = watch_rules(None, domains=DOMAINS)
    assert rules().treatment("gdpr", caller) is treatment


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 0, "holds no settings"),
        ("domains: [", 2, "not valid YAML"),
        ("domain: {}", 1, "unknown key 'domain'"),
        ("other: 1\ndomains: {}", 1, "unknown key 'other'"),
        ("domains:\n  gdrp: {roles: {dba: clear}}", 2, "no region is in the domain 'gdrp'"),
        ("domains:\n  gdpr:\n    roles: {dba: open}", 3, "'open', which is no treatment"),
        ("domains:\n  gdpr:\n    others: CLEAR", 3, "'CLEAR', which is no treatment"),
        ("domains:\n  gdpr:\n    roles: {dab: clear}", 3, "the role 'dab', which no policy file knows"),
        ("domains:\n  gdpr:\n    role: {dba: clear}", 3, "unknown key 'role'"),
        ("domains:\n  gdpr:\n    roles: {dba: clear, dba: token}", 3, "given twice"),
        ("domains:\n  gdpr:\n    roles: {dba: yes}", 3, "must be text"),
        ("domains:\n  gdpr: {}\n  gdpr: {}", 3, "given twice"),
    ],
)
def test_a_bad_file_is_told_with_line_and_remedy(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, roles=("dba", "on-call"))
    problem = next(problem for problem in caught.value.problems if message in problem.message)
    assert problem.line == line
    assert problem.remedy


def test_a_bad_change_never_opens_a_door(tmp_path: Path) -> None:
    path, clock = tmp_path / "egress.yaml", ManualClock()
    path.write_text("domains: {gdpr: {others: drop}}")
    rules = watch_rules(path, domains=DOMAINS, clock=clock)
    for change, treatment in (
        ("domains: {gdpr: {others: everything}}", DROP),
        ("domains: {gdpr: {others: clear}}", CLEAR),
    ):
        path.write_text(change)
        rules()
        clock.seconds += SETTLE_SECONDS
        assert rules().treatment("gdpr", _caller("viewer")) is treatment
