"""What policy knows of a resource: where it is, who owns it, under which law."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.names import ResourceName


@dataclass(frozen=True, slots=True)
class Resource:
    """An instance with the attributes that grants are written over."""

    region: str
    domain: str
    cloud: str
    environment: str
    team: str
    instance: str

    @property
    def name(self) -> ResourceName:
        """Its resource name."""
        return ResourceName(self.region, self.instance)
