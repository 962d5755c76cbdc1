"""The part of `storex.yaml` that is about investigations: model endpoints, their prices and budgets, and limits."""

from __future__ import annotations

from pathlib import Path

from libs.config.document import Fields
from libs.config.model import (
    AgentSettings,
    ModelBudget,
    ModelBudgets,
    ModelEndpoint,
    ModelsConfig,
    Price,
    SpecialistSettings,
    ToolSeconds,
)

APIS = ("chat", "responses")
_DEFAULT_CURRENCY = "USD"
_DEFAULT_TIMEOUT_SECONDS = 30.0
_MOST_TOKENS = 10**12
_LEAST_CONTEXT = 2048
_MOST_OUTPUT = 2048
_MOST_MONEY = 1e9
_MOST_SECONDS = 3600.0


def secret_of(fields: Fields, key: str, *, required: bool) -> tuple[str | None, Path | None]:
    """Where a secret is, an environment variable or a file; a secret itself never stands in a configuration."""
    env, file = fields.text(f"{key}_env"), fields.file(f"{key}_file")
    if env is not None and file is not None:
        fields.report(f"{key}_file", f"is given beside {key}_env", "Keep one of the two")
    elif required and env is None and file is None:
        fields.report(f"{key}_env", "is missing", f"Add `{key}_env:` or `{key}_file:`; a secret never stands in here")
    return env, file


def models_of(root: Fields) -> ModelsConfig:
    """The section `models`."""
    below = root.fields("models")
    if below is None:
        return ModelsConfig()
    endpoints = {name: _endpoint(name, fields) for name, fields in below.entries("endpoints")}
    domains = below.lists("domains")
    for domain, names in domains.items():
        for unknown in [name for name in names if name not in endpoints]:
            below.report("domains", f"lets {domain!r} use {unknown!r}, which is no endpoint", "Add it to `endpoints`")
    currency = below.text("currency") or _DEFAULT_CURRENCY
    budgets = _budgets(below)
    below.finish()
    return ModelsConfig(endpoints, domains, currency, budgets)


def _budgets(models: Fields) -> ModelBudgets:
    below = models.fields("budgets")
    if below is None:
        return ModelBudgets()
    budgets = ModelBudgets(
        user=_budget(below.fields("user")),
        team=_budget(below.fields("team")),
        users={name: _budget(fields) for name, fields in below.entries("users")},
        teams={name: _budget(fields) for name, fields in below.entries("teams")},
    )
    below.finish()
    return budgets


def _budget(fields: Fields | None) -> ModelBudget:
    if fields is None:
        return ModelBudget()
    budget = ModelBudget(
        tokens=fields.integer("tokens", lowest=0, highest=_MOST_TOKENS),
        cost=fields.number("cost", lowest=0.0, highest=_MOST_MONEY),
    )
    fields.finish()
    return budget


def _endpoint(name: str, fields: Fields) -> ModelEndpoint:
    api_key_env, api_key_file = secret_of(fields, "api_key", required=False)
    base_url = fields.text("base_url", required=True) or ""
    if base_url and not base_url.startswith(("http://", "https://")):
        fields.report("base_url", "is not an http address", "Write it as `https://host/v1`")
    context_tokens = fields.integer("context_tokens", lowest=_LEAST_CONTEXT, highest=_MOST_TOKENS) or 0
    endpoint = ModelEndpoint(
        name=name,
        base_url=base_url,
        model=fields.text("model", required=True) or "",
        api_key_env=api_key_env,
        api_key_file=api_key_file,
        declared=fields.declared("api_key_env", "api_key_file"),
        api=_api(fields),
        timeout_seconds=fields.number("timeout_seconds", lowest=1.0, highest=_MOST_SECONDS) or _DEFAULT_TIMEOUT_SECONDS,
        price=_price(fields),
        context_tokens=context_tokens,
        max_output_tokens=_most_output(fields, context_tokens),
    )
    fields.finish()
    return endpoint


def _most_output(fields: Fields, context_tokens: int) -> int:
    """What one answer may have; at most half of a small context, so that something can be asked."""
    given = fields.integer("max_output_tokens", lowest=64, highest=_MOST_TOKENS)
    if given is None:
        return min(_MOST_OUTPUT, context_tokens // 4) if context_tokens else _MOST_OUTPUT
    if context_tokens and given > context_tokens // 2:
        fields.report("max_output_tokens", "is more than half of context_tokens", "Leave room for the question")
    return given


def _api(fields: Fields) -> str:
    api = fields.text("api") or APIS[0]
    if api not in APIS:
        fields.report("api", f"is {api!r}, which is no interface that Storex speaks", f"Write {' or '.join(APIS)}")
    return api


def _price(fields: Fields) -> Price:
    below = fields.fields("price")
    if below is None:
        return Price()
    price = Price(
        input=below.number("input", lowest=0.0, highest=_MOST_MONEY) or 0.0,
        output=below.number("output", lowest=0.0, highest=_MOST_MONEY) or 0.0,
    )
    below.finish()
    return price


def agent_of(root: Fields) -> AgentSettings:
    """The section `agent`."""
    below = root.fields("agent")
    if below is None:
        return AgentSettings()
    settings = AgentSettings(
        steps=below.integer("steps", lowest=1, highest=1000),
        tool_calls=below.integer("tool_calls", lowest=1, highest=10000),
        tokens=below.integer("tokens", lowest=1, highest=_MOST_TOKENS),
        cost=below.number("cost", lowest=0.0, highest=_MOST_MONEY),
        wall_seconds=below.number("wall_seconds", lowest=1.0, highest=_MOST_SECONDS),
        tool_seconds=below.number("tool_seconds", lowest=0.1, highest=_MOST_SECONDS),
        model_seconds=below.number("model_seconds", lowest=1.0, highest=_MOST_SECONDS),
        tools={name: _tool(fields) for name, fields in below.entries("tools")},
        prompts=below.folder("prompts"),
        specialists={name: _specialist(fields) for name, fields in below.entries("specialists")},
    )
    below.finish()
    return settings


def _specialist(fields: Fields) -> SpecialistSettings:
    settings = SpecialistSettings(
        declared=fields.declared("model", "prompt", "tools"),
        prompt=fields.text("prompt"),
        tools=fields.texts("tools"),
        model=fields.text("model"),
        steps=fields.integer("steps", lowest=1, highest=100),
        tokens=fields.integer("tokens", lowest=1, highest=_MOST_TOKENS),
    )
    fields.finish()
    return settings


def _tool(fields: Fields) -> ToolSeconds:
    seconds = fields.number("seconds", lowest=0.1, highest=_MOST_SECONDS)
    if seconds is None:
        fields.report("seconds", "is missing", "Add `seconds:` with its value")
    tool = ToolSeconds(seconds or 1.0, fields.declared("seconds"))
    fields.finish()
    return tool
