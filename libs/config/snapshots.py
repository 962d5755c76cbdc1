"""What a region does with snapshots by itself, and how long it keeps them: its key `snapshots` in `storex.yaml`."""

from __future__ import annotations

from libs.config.document import Fields
from libs.config.model import SnapshotConfig

_MEGABYTE = 1024 * 1024
DEFAULT = SnapshotConfig()
"""Nothing is made by itself."""


def read_snapshots(region: Fields) -> SnapshotConfig:
    """The settings below a region's key `snapshots`, or the default ones."""
    below = region.fields("snapshots")
    if below is None:
        return DEFAULT
    megabytes = below.integer("keep_megabytes", lowest=1, highest=10_000_000)
    config = SnapshotConfig(
        on_finding=below.flag("on_finding"),
        after_investigation=below.flag("after_investigation"),
        apart_seconds=below.integer("apart_seconds", lowest=1, highest=86_400) or DEFAULT.apart_seconds,
        most_an_hour=below.integer("most_an_hour", lowest=1, highest=1000) or DEFAULT.most_an_hour,
        keep_days=below.integer("keep_days", lowest=1, highest=3650) or DEFAULT.keep_days,
        keep_count=below.integer("keep_count", lowest=1, highest=100_000) or DEFAULT.keep_count,
        keep_bytes=DEFAULT.keep_bytes if megabytes is None else megabytes * _MEGABYTE,
    )
    below.finish()
    return config
