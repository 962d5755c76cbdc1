"""The configured model endpoints, and the reasoners that a question gets."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

from libs.config import ConfigError
from libs.llm import Endpoint
from libs.llm.door import Door, ModelChain, PromptUsed
from libs.llm.ledger import Who
from services.agent.config import AgentConfig
from services.agent.inquiry import Fallback, Reasoner
from services.agent.reasoners.builtin.reasoner import Builtin
from services.agent.reasoners.model.reasoner import ModelReasoner
from services.agent.specialists.registry import Specialist
from services.agent.target import Target, parse_target

_log = logging.getLogger(__name__)


class Models:
    """Makes the reasoners of one configuration: these specialists, and the endpoints that a target's domains allow."""

    def __init__(
        self, config: AgentConfig, door: Door, specialists: Mapping[str, Specialist], only_endpoint: str = ""
    ) -> None:
        """With `only_endpoint` no other one is asked, whatever the order of preference is."""
        self._config = config
        self._door = door
        self._specialists = specialists
        self._only_endpoint = only_endpoint

    def open(self) -> None:
        """Open every endpoint that may be asked about some region."""
        for name in self._config.regions_with_models:
            for endpoint in self.endpoints_for(parse_target(f"regions/{name}")):
                self._door.open(endpoint)

    def reasoners_for(self, target: Target, who: Who) -> tuple[Reasoner, Fallback]:
        """A reasoner for one question, and the deterministic one behind it; one and the same without a model."""
        fallback = Builtin(self._specialists)
        endpoints = self.endpoints_for(target)
        if not endpoints:
            return fallback, fallback

        def chain_for(specialist: Specialist) -> ModelChain:
            # Its own model first; the others that the domain allows are there when that one fails or is not allowed.
            preferred = sorted(endpoints, key=lambda one: bool(specialist.model) and one.label != specialist.model)
            return self._door.chain(preferred, who, _prompt_of(specialist))

        def may_see(region: str) -> bool:
            return self._config.allows(region, endpoints)

        return ModelReasoner(chain_for, self._specialists, self._config.limits.model_seconds, may_see), fallback

    def endpoints_for(self, target: Target) -> list[Endpoint]:
        """The endpoints that may be asked about a target, in order of preference."""
        try:
            allowed = self._config.endpoints_for(target)
        except ConfigError as error:
            # A key that cannot be read must not keep anybody from an answer: builtin gives it.
            _log.error("no model is used about %s: %s", target.text, error)
            return []
        return [one for one in allowed if self._only_endpoint in ("", one.label)]

    def variant(self, specialists: Mapping[str, Specialist], only_endpoint: str) -> Models:
        """The same endpoints and door with other specialists."""
        return Models(self._config, self._door, specialists, only_endpoint)


def _prompt_of(specialist: Specialist) -> PromptUsed:
    return PromptUsed(specialist.prompt.reference, hashlib.sha256(specialist.prompt.text.encode()).hexdigest())
