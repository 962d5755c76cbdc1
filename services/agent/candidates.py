"""A candidate's configuration in the place of the service's own, for one question about a snapshot.

What a candidate lacks it lacks everywhere: the loop does not know the tool, the specialists are not told of it, and the
shard leaves the detector out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from libs.core.catalogue import CATALOGUE
from libs.core.errors import Reason, StorexError
from libs.llm.ledger import Who
from services.agent.asking import Asking, ReasonerFactory
from services.agent.inquiry import Fallback, Reasoner
from services.agent.loop.limits import LoopLimits
from services.agent.models import Models
from services.agent.prompts.prompt import PromptError
from services.agent.reasoners.builtin.reasoner import LABEL as BUILTIN
from services.agent.reasoners.builtin.reasoner import Builtin
from services.agent.reasoners.loudest import LABEL as LOUDEST
from services.agent.reasoners.loudest import Loudest
from services.agent.specialists.registry import Specialist, prompt_for
from services.agent.target import Target
from services.agent.tools.tool import Tool
from storex.agent.v1.candidate_pb2 import Candidate


@dataclass(frozen=True, slots=True)
class Candidates:
    """Turns the service's way of answering into a candidate's."""

    models: Models
    specialists: Mapping[str, Specialist]
    prompts: Path | None = None
    """A folder of prompts beside those that come with the agent."""

    def apply(self, candidate: Candidate, asking: Asking) -> Asking:
        """The service's `asking` as the candidate does it. Raises StorexError REQUEST_INVALID."""
        tools = _remaining(asking.tools, candidate)
        _check_known("without_rules", "detector", candidate.without_rules, CATALOGUE)
        specialists = {
            name: replace(
                specialist,
                tools=tuple(tool for tool in specialist.tools if tool.name in tools),
                reads=tuple(read for read in specialist.reads if read in tools),
            )
            for name, specialist in self.specialists.items()
        }
        for name, reference in candidate.prompts.items():
            specialists[name] = _with_prompt(specialists, name, reference, self.prompts)
        reasoners = self._reasoners(candidate.reasoner, specialists)
        return replace(asking, tools=tools, reasoners=reasoners, limits=_limited(asking.limits, candidate))

    def _reasoners(self, reasoner: str, specialists: Mapping[str, Specialist]) -> ReasonerFactory:
        if reasoner == BUILTIN:
            return lambda _target, _who: _alone(Builtin(specialists))
        if reasoner == LOUDEST:
            return lambda _target, _who: _alone(Loudest())
        models = self.models.variant(specialists, reasoner)

        def modelled(target: Target, who: Who) -> tuple[Reasoner, Fallback]:
            if reasoner and not models.endpoints_for(target):
                raise _invalid("reasoner", f"no endpoint {reasoner!r} may be asked about {target.text}")
            return models.reasoners_for(target, who)

        return modelled


def _alone(reasoner: Fallback) -> tuple[Reasoner, Fallback]:
    return reasoner, reasoner


def _remaining(tools: Mapping[str, Tool], candidate: Candidate) -> dict[str, Tool]:
    _check_known("without_tools", "tool", candidate.without_tools, tools)
    return {name: tool for name, tool in tools.items() if name not in candidate.without_tools}


def _check_known(field: str, what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise _invalid(field, f"there is no {what} of that name{f'; did you mean {near[0]}?' if near else ''}")


def _with_prompt(
    specialists: Mapping[str, Specialist], name: str, reference: str, own_prompts: Path | None
) -> Specialist:
    if name not in specialists:
        raise _invalid("prompts", f"there is no specialist {name!r}")
    try:
        prompt = prompt_for(name, reference, own=own_prompts)
    except PromptError:
        raise _invalid("prompts", f"there is no usable prompt {reference!r} for {name}") from None
    return replace(specialists[name], prompt=prompt)


def _limited(limits: LoopLimits, candidate: Candidate) -> LoopLimits:
    """Never more than everybody has."""
    if candidate.max_steps < 0 or candidate.max_tool_calls < 0:
        raise _invalid("max_steps", "limits must not be negative")
    steps, calls = candidate.max_steps or limits.steps, candidate.max_tool_calls or limits.tool_calls
    return replace(limits, steps=min(steps, limits.steps), tool_calls=min(calls, limits.tool_calls))


def _invalid(field: str, problem: str) -> StorexError:
    return StorexError(Reason.REQUEST_INVALID, field=f"candidate.{field}", problem=problem)
