"""The agent's settings: the command line, `storex.yaml`, and the environment for a model endpoint."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from libs.config import (
    AgentSettings,
    ConfigError,
    ModelsConfig,
    SpecialistSettings,
    StorexConfig,
    load_config,
)
from libs.core.names import WILDCARD
from libs.llm import Endpoint
from services.agent.loop.limits import LoopLimits
from services.agent.target import Target
from services.agent.tools.registry import TOOLS

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_UNNAMED = "OPENAI_BASE_URL is set but STOREX_MODEL is not: no model is used."

_LIMITS = ("steps", "tool_calls", "tokens", "cost", "wall_seconds", "tool_seconds", "model_seconds")
_KNOWN_TOOLS = f"Known: {', '.join(TOOLS)}"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything the agent is built from. Addresses are `HOST:PORT`; a metrics port of 0 serves no metrics."""

    listen: str
    coordinator: str
    token_file: Path
    state_dir: Path
    metrics_port: int = 0
    policy: Path | None = None
    domains: Mapping[str, str] = field(default_factory=dict)
    """The regulatory domain of each region."""
    recorded_after: frozenset[str] = frozenset()
    """The regions that want a snapshot at the end of an investigation."""
    models: ModelsConfig = field(default_factory=ModelsConfig)
    environment_endpoint: Endpoint | None = None
    """The endpoint that the environment names; used where the configuration lists none at all."""
    limits: LoopLimits = field(default_factory=LoopLimits)
    prompts: Path | None = None
    """A folder of prompts beside those that come with the agent, for candidates to name."""
    specialists: Mapping[str, SpecialistSettings] = field(default_factory=dict)
    """What specialists have in the place of their folders' own."""
    model_unnamed: bool = False
    """Whether the environment names an endpoint and no model, so that the endpoint is not used."""

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What of these settings every report has to tell, as (code, sentence); both PUBLIC."""
        return (("MODEL_NOT_NAMED", _UNNAMED),) if self.model_unnamed and not self.models.endpoints else ()

    @property
    def regions_with_models(self) -> list[str]:
        """Regions that a model may be asked about; empty when there is no endpoint at all."""
        if not self.models.endpoints:
            return list(self.domains)[:1] if self.environment_endpoint is not None else []
        return [region for region, domain in self.domains.items() if self.models.allowed([domain])]

    def endpoints_for(self, target: Target) -> list[Endpoint]:
        """The model endpoints that may be asked about a target, in order of preference; none means `builtin`.

        Every domain that the target reaches into must allow an endpoint. Raises ConfigError for an unreadable key.
        """
        if not self.models.endpoints:
            return [self.environment_endpoint] if self.environment_endpoint is not None else []
        region = target.name.region
        regions = list(self.domains) if region == WILDCARD else [region]
        allowed = self.models.allowed(self.domains[name] for name in regions if name in self.domains)
        return [Endpoint.of(entry) for entry in allowed]

    def allows(self, region: str, endpoints: Iterable[Endpoint]) -> bool:
        """Whether all of these endpoints may see data of a region, by its name; of one that is not known none may."""
        if not self.models.endpoints:
            return True
        domains = [self.domains[region]] if region in self.domains else []
        allowed = {entry.name for entry in self.models.allowed(domains)}
        return all(endpoint.label in allowed for endpoint in endpoints)


def read_config(arguments: Sequence[str], environment: Mapping[str, str]) -> AgentConfig:
    """Settings from a command line and an environment. Raises ConfigError; exits on a wrong command line."""
    parser = argparse.ArgumentParser(prog="services.agent", description="The Storex agent service.")
    parser.add_argument("--config", type=Path, required=True, help="storex.yaml")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument("--coordinator", required=True, metavar="HOST:PORT")
    parser.add_argument("--token-file", type=Path, required=True, help="the agent's own service token")
    parser.add_argument("--metrics-port", type=int, default=0)
    options = parser.parse_args(arguments)
    storex: StorexConfig = load_config(options.config)
    return AgentConfig(
        listen=options.listen,
        coordinator=options.coordinator,
        token_file=options.token_file,
        state_dir=storex.state_dir,
        metrics_port=options.metrics_port,
        policy=storex.policy,
        domains={name: region.domain for name, region in storex.regions.items()},
        recorded_after=frozenset(
            name for name, region in storex.regions.items() if region.snapshots.after_investigation
        ),
        models=storex.models,
        environment_endpoint=_from_environment(environment),
        limits=limits_from(storex.agent),
        prompts=storex.agent.prompts,
        specialists=_specialists(storex),
        model_unnamed=bool(environment.get("OPENAI_BASE_URL")) and not environment.get("STOREX_MODEL"),
    )


def _specialists(storex: StorexConfig) -> Mapping[str, SpecialistSettings]:
    """Checked against the endpoints. Raises ConfigError for a model that there is none of."""
    known = f"Known: {', '.join(storex.models.endpoints)}"
    unknown = [
        one for one in storex.agent.specialists.values() if one.model and one.model not in storex.models.endpoints
    ]
    if unknown:
        raise ConfigError([one.declared.problem(f"there is no endpoint {one.model!r}", known) for one in unknown])
    return storex.agent.specialists


def limits_from(settings: AgentSettings) -> LoopLimits:
    """The limits of one question, where the configuration names them. Raises ConfigError for an unknown tool."""
    unknown = [(name, tool) for name, tool in settings.tools.items() if name not in TOOLS]
    if unknown:
        raise ConfigError([tool.declared.problem(f"there is no tool {name!r}", _KNOWN_TOOLS) for name, tool in unknown])
    standard = LoopLimits()
    given = {name: getattr(settings, name) for name in _LIMITS if getattr(settings, name) is not None}
    tools = {**standard.tools, **{name: tool.seconds for name, tool in settings.tools.items()}}
    return replace(standard, **given, tools=tools)


def _from_environment(environment: Mapping[str, str]) -> Endpoint | None:
    """OPENAI_BASE_URL, OPENAI_API_KEY and STOREX_MODEL as an endpoint; None unless the model is named."""
    base_url, key = environment.get("OPENAI_BASE_URL", ""), environment.get("OPENAI_API_KEY", "")
    model = environment.get("STOREX_MODEL", "")
    if not model:
        if base_url:
            _log.warning(_UNNAMED)
        return None
    if not base_url and not key:
        _log.warning("STOREX_MODEL is set, but neither OPENAI_BASE_URL nor OPENAI_API_KEY: no model is used")
        return None
    return Endpoint("openai", base_url or DEFAULT_BASE_URL, model, key or None)
