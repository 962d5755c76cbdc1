"""What a question is about."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from libs.core.names import WILDCARD, ResourceName, is_segment, parse_name

_SERVICE_PREFIX = "services/"


@dataclass(frozen=True, slots=True)
class Target:
    """An instance, a region, or a service (every instance with the label `service` of that value, in any region)."""

    text: str
    name: ResourceName
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def is_instance(self) -> bool:
        """Whether it is a single instance."""
        return not self.name.is_wildcard


def parse_target(text: str) -> Target:
    """Parse `regions/R`, `regions/R/instances/I` or `services/NAME`.

    Raises StorexError REQUEST_INVALID when empty or no service name, NAME_INVALID or WILDCARD_NOT_ALLOWED otherwise.
    """
    if not text:
        raise StorexError(
            Reason.REQUEST_INVALID,
            field="target",
            problem="name an instance (regions/R/instances/I), a region (regions/R) or a service (services/NAME)",
        )
    if text.startswith(_SERVICE_PREFIX):
        service = text.removeprefix(_SERVICE_PREFIX)
        if not is_segment(service):
            raise StorexError(Reason.REQUEST_INVALID, field="target", problem="services/NAME takes a lower-case name")
        return Target(text, ResourceName(WILDCARD, WILDCARD), (("service", service),))
    name = parse_name(text)
    return Target(text, name if name.instance is not None else ResourceName(name.region, WILDCARD))
