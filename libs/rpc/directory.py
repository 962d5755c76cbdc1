"""Where the authoriser looks resources up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libs.core.names import ResourceName
from libs.core.resources import Resource


class ResourceDirectory(Protocol):
    """The resources that a server answers for.

    `instance` and `within` may raise StorexError SHARD_UNAVAILABLE for one region whose inventory has never been read;
    the authoriser tells it only to callers who could hold a grant there.
    """

    def instance(self, name: ResourceName) -> Resource | None:
        """The instance of that exact name, or None."""

    def within(self, name: ResourceName) -> Sequence[Resource]:
        """Every known instance that a region's name or a name with wildcards covers."""

    def knows_region(self, region: str) -> bool:
        """Whether there is such a region at all."""


class NoResources:
    """For a server whose own methods name no resource: there is none to look up."""

    def instance(self, name: ResourceName) -> Resource | None:
        """None."""
        del name
        return None

    def within(self, name: ResourceName) -> Sequence[Resource]:
        """Nothing."""
        del name
        return ()

    def knows_region(self, region: str) -> bool:
        """False."""
        del region
        return False
