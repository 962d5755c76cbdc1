"""Resource names in the style of AIP-122.

`regions/{region}`, `regions/{region}/instances/{instance}`, and below that `/snapshots/{snapshot}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from libs.core.errors import Reason, StorexError

WILDCARD = "-"
MAX_NAME_LENGTH = 256
"""Longest accepted name, in characters."""

_SEGMENT = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A region (`instance` is None) or an instance; either part may be the wildcard `-`. Or an instance's snapshot."""

    region: str
    instance: str | None = None
    snapshot: str | None = None

    def __str__(self) -> str:
        name = f"regions/{self.region}"
        if self.instance is not None:
            name += f"/instances/{self.instance}"
        return name if self.snapshot is None else f"{name}/snapshots/{self.snapshot}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for more than one region, or for every instance of a region."""
        return WILDCARD in (self.region, self.instance)

    @property
    def region_name(self) -> ResourceName:
        """The region that it belongs to."""
        return ResourceName(self.region)

    @property
    def instance_name(self) -> ResourceName:
        """The instance that it is or belongs to."""
        return ResourceName(self.region, self.instance)

    def covers(self, other: ResourceName) -> bool:
        """Whether `other` is this resource, lies within it, or matches its wildcards."""
        if self.region not in (WILDCARD, other.region):
            return False
        return self.instance is None or self.instance in (WILDCARD, other.instance)


def is_segment(text: str) -> bool:
    """Whether `text` can name a region or an instance.

    Lower-case letters, digits, and `-`, `_` or a single `.` in between; at most 63 characters.
    """
    return _SEGMENT.fullmatch(text) is not None and ".." not in text


_SHAPES = (["regions"], ["regions", "instances"])
_SNAPSHOT = ["regions", "instances", "snapshots"]


def parse_name(text: str, *, wildcards: bool = False, snapshots: bool = False) -> ResourceName:
    """Parse the resource name of a region or an instance, or with `snapshots` that of a snapshot too.

    Raises StorexError NAME_INVALID for anything else, and WILDCARD_NOT_ALLOWED for `-` unless `wildcards`.
    """
    if not text or len(text) > MAX_NAME_LENGTH:
        raise StorexError(Reason.NAME_INVALID)
    parts = text.split("/")
    collections, values = parts[0::2], parts[1::2]
    known = collections in _SHAPES or (snapshots and collections == _SNAPSHOT)
    if not known or len(collections) != len(values):
        raise StorexError(Reason.NAME_INVALID)
    for value in values:
        if value == WILDCARD:
            if not wildcards:
                raise StorexError(Reason.WILDCARD_NOT_ALLOWED)
        elif not is_segment(value):
            raise StorexError(Reason.NAME_INVALID)
    return ResourceName(*values)
