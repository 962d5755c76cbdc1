"""The decision what of a message leaves: the classes that the caller may see on the instance that it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from libs.core.resources import Resource
from libs.identity.principal import Caller, Principal
from libs.rpc.call import CallContext
from libs.sensitivity.classes import PRINCIPAL, PUBLIC, SCHEMA, SensitivityClass
from libs.sensitivity.plan import Tokenise, apply
from services.shard.egress.rules import EgressRules, Treatment
from services.shard.egress.subjects import subject_of

M = TypeVar("M", bound=Message)

_CLASSES = {"PUBLIC": PUBLIC, "SCHEMA": SCHEMA, "PRINCIPAL": PRINCIPAL}


class Clearances(Protocol):
    """The part of a policy engine that says which classes are seen in clear."""

    def clear_classes(
        self, principals: Sequence[Principal], resource: Resource, permission: str | None = None, *, rpc: str = ""
    ) -> frozenset[str]:
        """The names of the classes that all of the principals see in clear on the resource."""


class EgressStep:
    """Filters the messages of one region. Policy and the region's rules must both agree to what is seen in clear."""

    def __init__(self, rules: Callable[[], EgressRules], tokenise: Tokenise, policy: Clearances) -> None:
        self._rules = rules
        self._tokenise = tokenise
        self._policy = policy

    def filtered(self, message: M, call: CallContext) -> M:
        """A copy of `message` with what the caller may see. Raises StorexError INTERNAL for an unauthorised call."""
        if call.caller is None or call.method is None:
            raise StorexError(Reason.INTERNAL, detail="an answer to nobody")
        resources = {str(resource.name): resource for resource in call.resources}
        subject = subject_of(message, resources) if len(resources) > 1 else None
        judged = call.resources if subject is None else (subject,)
        clear, treatment = self._clearance(call, call.caller, judged)
        return apply(message, clear, None if treatment is Treatment.DROP else self._tokenise)

    def _clearance(
        self, call: CallContext, caller: Caller, resources: Sequence[Resource]
    ) -> tuple[frozenset[SensitivityClass], Treatment]:
        """What is clear on all of the resources; nothing but PUBLIC where there is none."""
        if not resources or call.method is None:
            return frozenset(), Treatment.DROP
        rules = self._rules()
        treatment = min(rules.treatment(domain, caller) for domain in {resource.domain for resource in resources})
        names = frozenset(_CLASSES).intersection(
            *(
                self._policy.clear_classes(
                    caller.principals, resource, call.method.permission, rpc=call.method.full_method
                )
                for resource in resources
            )
        )
        clear = frozenset(_CLASSES[name] for name in names)
        return (clear if treatment is Treatment.CLEAR else clear - {PRINCIPAL}), treatment
