"""What a shard is told on its command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.config import ConfigError, Problem, RegionConfig
from libs.rpc.process import ProcessSettings, argument_parser, process_settings


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """The region that it serves, out of the whole configuration."""

    process: ProcessSettings
    region: RegionConfig


def parse_arguments(arguments: Sequence[str] | None = None) -> ShardSettings:
    """Read the command line. Raises ConfigError; leaves through SystemExit for unusable arguments."""
    parser = argument_parser("shard")
    parser.add_argument("--region", required=True)
    parsed = parser.parse_args(arguments)
    process = process_settings(parsed)
    region = process.config.regions.get(parsed.region)
    if region is None:
        message = f"--region {parsed.region} is not a region of this file"
        remedy = f"Use one of: {', '.join(sorted(process.config.regions))}"
        raise ConfigError([Problem(process.config.path, 0, message, remedy)])
    return ShardSettings(process, region)
