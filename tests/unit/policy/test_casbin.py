"""The engine answers what Casbin's own enforcer answers with the same model and the same rules."""

from __future__ import annotations

import random
from pathlib import Path

import casbin
import pytest
from casbin.persist.adapters import FileAdapter

from libs.core.resources import Resource
from libs.policy.files import DEFAULTS, MODEL_FILE, parse_until
from libs.policy.model import clears, compile_matcher, load_model, permits, within
from libs.policy.patterns import parse_what, parse_where
from libs.policy.snapshot import build_policy
from libs.policy.vocabulary import storex_vocabulary
from tests.unit.policy.people import FixedClock, user
from tests.unit.policy.test_matrix import DECLARED, NOW, RESOURCES, UNTIL, WHAT, WHERE, WHO

ACTS = ("fleet.read", "diagnostics.read", "agent.ask")


def stock_enforcer(path: Path) -> casbin.Enforcer:
    """Casbin as it comes, with the model's four functions over the text of the columns."""
    enforcer = casbin.Enforcer(str(DEFAULTS / MODEL_FILE), FileAdapter(str(path)))
    vocabulary = storex_vocabulary()
    enforcer.add_function("permits", lambda what, eft, act: permits(parse_what(what, vocabulary), eft, act))
    enforcer.add_function("clears", clears)
    enforcer.add_function("within", lambda place, teams, where: within(place, teams, parse_where(where)))
    enforcer.add_function("valid", lambda until, now: now < parse_until(until))
    return enforcer


def some_rules(chance: random.Random) -> str:
    columns = (WHO, WHERE, WHAT, ("public", "schema"), UNTIL, ("allow",) * 6 + ("deny",))
    rules = ["p, " + ", ".join(chance.choice(choices) for choices in columns) for _ in range(40)]
    return DECLARED + "\n".join(["g, role:dba, role:on-call", "g, role:on-call, role:viewer", *rules]) + "\n"


@pytest.mark.parametrize("seed", range(8))
def test_the_engine_and_stock_casbin_agree(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    text = some_rules(chance)
    (tmp_path / "rules.csv").write_text(text)
    enforcer = stock_enforcer(tmp_path / "rules.csv")
    policy = build_policy({"rules.csv": text.encode()}, clock=FixedClock(NOW))
    allowed = 0
    for number in range(60):
        person = user(f"u{number}", teams=("payments",), roles=(chance.choice(("viewer", "on-call", "dba")),))
        for held in (*(f"role:{role}" for role in person.roles), "team:payments", "*"):
            enforcer.add_role_for_user(person.subject, held)
        place, act = chance.choice(RESOURCES), chance.choice(ACTS)
        want = enforcer.enforce(person.subject, person.teams, place, act, "public", NOW)
        assert policy.decide([person], act, place).allowed == want
        allowed += want
    assert 0 < allowed < 60


def test_the_matcher_that_is_compiled_is_the_one_in_the_model_file() -> None:
    model = load_model()
    assert model["r"]["r"].tokens == ["r_sub", "r_teams", "r_obj", "r_act", "r_cls", "r_now"]
    model["m"]["m"].value = "!valid(p_until, r_now) || r_act == 'x'"
    match = compile_matcher(model)
    place = Resource("eu-west-1", "gdpr", "aws", "prod", "payments", "orders-1")
    (rule,) = build_policy({"a.csv": b"p, user:a, *, fleet.read, schema, 2027-01-01, allow\n"}).text.rules
    assert match(None, frozenset(), place, "y", "public", rule.until + 1, rule)  # type: ignore[arg-type] # unused
    assert not match(None, frozenset(), place, "y", "public", rule.until - 1, rule)  # type: ignore[arg-type] # unused
    assert match(None, frozenset(), place, "x", "public", rule.until - 1, rule)  # type: ignore[arg-type] # unused
