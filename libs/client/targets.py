"""From what people type to resource names, with near matches taken only from what they may list."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from libs.core.errors import StorexError
from libs.core.names import is_segment, parse_name
from storex.common.v1.error_pb2 import RegionError
from storex.fleet.v1.fleet_pb2 import Health, Instance, Region, StreamInstancesResponse

_SERVICE = "service:"


@dataclass(slots=True)
class Listing:
    """The regions and instances that a caller may see, and the regions that did not answer.

    Fill in the regions first: one that then does not answer is marked as down.
    """

    regions: list[Region] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    errors: list[RegionError] = field(default_factory=list)

    def add(self, answer: StreamInstancesResponse) -> None:
        """Take in one message of the stream of instances."""
        if answer.HasField("instance"):
            self.instances.append(answer.instance)
        elif answer.HasField("region_error"):
            self.errors.append(answer.region_error)
            self._mark_down(answer.region_error)

    def _mark_down(self, error: RegionError) -> None:
        """What a region just failed to answer is newer than what the list of regions knew of its health."""
        for region in self.regions:
            if region.name == error.name and region.health != Health.HEALTH_DOWN:
                region.health, region.reason = Health.HEALTH_DOWN, error.reason


class TargetError(Exception):
    """A target that stands for nothing, or for several things; `candidates` are full names to choose from."""

    def __init__(self, message: str, candidates: list[str]) -> None:
        self.candidates = candidates
        super().__init__(message)


class UnlistedError(TargetError):
    """A target that was not found while some region could not be listed: it may be there, so try again."""


def is_complete(text: str) -> bool:
    """Whether a target needs no listing to be understood."""
    return text.startswith(("regions/", _SERVICE))


def resolve_target(text: str, listing: Listing) -> str:
    """The target of a question: an instance's or a region's name, or `services/NAME`. Raises TargetError.

    Takes `regions/R`, `regions/R/instances/I`, `service:NAME`, a region, or an instance's short name.
    A short name that may stand in a region that could not be listed raises UnlistedError.
    """
    if text.startswith(_SERVICE):
        name = text.removeprefix(_SERVICE)
        if not name:
            raise TargetError("service: needs a name behind the colon, for example service:orders.", [])
        return f"services/{name}"
    if text.startswith("regions/"):
        return _full_name(text)
    regions = [region.name for region in listing.regions if _short(region.name) == text]
    return _only(text, regions + _instances_called(text, listing), listing, with_regions=True)


def resolve_instance(text: str, listing: Listing) -> str:
    """The full name of one instance, given full or short. Raises TargetError."""
    if text.startswith("regions/"):
        name = _full_name(text)
        if "/instances/" not in name:
            raise TargetError(f"{text} is a region; this needs one instance of it.", _names_in(name, listing))
        return name
    return _only(text, _instances_called(text, listing), listing, with_regions=False)


def near_matches(text: str, listing: Listing, *, with_regions: bool = True) -> list[str]:
    """Full names in the listing that look like `text`."""
    names = [instance.name for instance in listing.instances]
    if with_regions:
        names += [region.name for region in listing.regions]
    wanted = _short(text)
    close = set(difflib.get_close_matches(wanted, {_short(name) for name in names}, n=3, cutoff=0.6))
    return sorted(name for name in names if _short(name) in close or wanted in _short(name))[:5]


def _full_name(text: str) -> str:
    try:
        return str(parse_name(text))
    except StorexError as error:
        raise TargetError(error.public_message, []) from None


def _instances_called(text: str, listing: Listing) -> list[str]:
    return [instance.name for instance in listing.instances if _short(instance.name) == text]


def _only(text: str, found: list[str], listing: Listing, *, with_regions: bool) -> str:
    if len(found) == 1:
        return found[0]
    if found:
        raise TargetError(f"{text!r} stands for {len(found)} things; give the full name.", sorted(found))
    near = near_matches(text, listing, with_regions=with_regions) if is_segment(text.lower()) else []
    if listing.errors:
        unlisted = ", ".join(sorted(error.name for error in listing.errors))
        message = f"{text!r} is not among what could be listed, and {unlisted} could not be listed now. Try again."
        raise UnlistedError(message, near)
    raise TargetError(f"There is no {text!r} among what you may see.", near)


def _names_in(region: str, listing: Listing) -> list[str]:
    return sorted(item.name for item in listing.instances if item.name.startswith(f"{region}/"))[:5]


def _short(name: str) -> str:
    return name.rpartition("/")[2]
