"""The Casbin model, with its matcher compiled once: Casbin itself parses the matcher again on every call."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from casbin.core_enforcer import CoreEnforcer
from casbin.effect import Effector, get_effector
from casbin.model import Model

from libs.core.resources import Resource
from libs.policy.decision import CLASSES
from libs.policy.files import DEFAULTS, MODEL_FILE, PolicyError, Problem, Rule
from libs.policy.patterns import What, Where
from libs.policy.roles import Holder

ALLOW, DENY = Effector.ALLOW, Effector.DENY
_RANK = {name: rank for rank, name in enumerate(CLASSES)}

Matcher = Callable[[Holder, frozenset[str], Resource, str, str, float, Rule], bool]
"""(sub, teams, obj, act, cls, now, rule) -> whether the rule speaks about the request."""


def permits(what: What, effect: str, act: str) -> bool:
    """Whether the what column covers the permission or RPC."""
    return act in (what.denies if effect == "deny" else what.allows)


def clears(cls: str, effect: str, asked: str) -> bool:
    """Whether a rule reaches a class: an allow up to its own, a deny from its own upwards."""
    if effect == "deny":
        return _RANK[asked] >= _RANK[cls]
    return _RANK[asked] <= _RANK[cls]


def within(resource: Resource, teams: frozenset[str], where: Where) -> bool:
    """Whether the resource lies in the where column."""
    return where.matches(resource, teams)


def valid(until: float, now: float) -> bool:
    """Whether a rule still holds: `until` is the first moment at which it does not."""
    return now < until


def holds(holder: Holder, subject: str) -> bool:
    """Whether the principal is the subject, or holds the role, or belongs to the team."""
    return subject in holder.subjects


FUNCTIONS = {"g": holds, "permits": permits, "clears": clears, "within": within, "valid": valid}


def load_model() -> Model:
    """The built-in model, parsed by Casbin."""
    model = Model()
    model.load_model(str(DEFAULTS / MODEL_FILE))
    return model


def check_model_file(content: bytes) -> None:
    """Raise PolicyError if a policy folder brings a model other than the built-in one."""
    if content.split() != (DEFAULTS / MODEL_FILE).read_bytes().split():
        message = "the model is part of Storex and cannot be changed by a policy folder; remove this file"
        raise PolicyError([Problem(MODEL_FILE, 1, message)])


def load_effector(model: Model) -> Any:
    """Casbin's own combination of effects, as the model names it."""
    return get_effector(model["e"]["e"].value)


def compile_matcher(model: Model) -> Matcher:
    """The model's matcher as a Python function over a request and a rule.

    Casbin's notation (`&&`, `||`, `!`) is translated as Casbin does it; `p_where` reads the rule's own `where`.
    """
    expression = CoreEnforcer._get_expression(model["m"]["m"].value, FUNCTIONS).ast_parsed_value
    body = ast.fix_missing_locations(_RuleColumns().visit(expression))
    arguments = [*model["r"]["r"].tokens, "rule"]
    signature = ast.arguments([], [ast.arg(name) for name in arguments], None, [], [], None, [])
    function = ast.fix_missing_locations(ast.Expression(ast.Lambda(signature, body)))
    # The expression comes from a file inside this package, never from a policy folder.
    matcher: Matcher = eval(compile(function, MODEL_FILE, "eval"), {"__builtins__": {}, **FUNCTIONS})  # noqa: S307
    return matcher


class _RuleColumns(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id.startswith("p_"):
            return ast.Attribute(ast.Name("rule", ast.Load()), node.id.removeprefix("p_"), ast.Load())
        return node
