"""What the coordinator is told on its command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from libs.config import ConfigError, Problem, StorexConfig
from libs.rpc.process import ProcessSettings, argument_parser, process_settings


@dataclass(frozen=True, slots=True)
class CoordinatorSettings:
    """Where everybody is: the address of each region's shard, of the agent and of the judge (empty: there is none)."""

    process: ProcessSettings
    shards: Mapping[str, str]
    agent: str = ""
    judge: str = ""


def parse_arguments(arguments: Sequence[str] | None = None) -> CoordinatorSettings:
    """Read the command line. Raises ConfigError; leaves through SystemExit for unusable arguments."""
    parser = argument_parser("coordinator")
    parser.add_argument("--shard", action="append", default=[], metavar="REGION=HOST:PORT")
    parser.add_argument("--agent", default="", metavar="HOST:PORT")
    parser.add_argument("--judge", default="", metavar="HOST:PORT")
    parsed = parser.parse_args(arguments)
    process = process_settings(parsed)
    shards = _shard_addresses(process.config, parsed.shard)
    return CoordinatorSettings(process, shards, parsed.agent, parsed.judge)


def _shard_addresses(config: StorexConfig, given: Sequence[str]) -> Mapping[str, str]:
    """The configuration's addresses, with those of the command line in their place."""
    addresses = {name: region.shard for name, region in config.regions.items() if region.shard}
    for argument in given:
        region, _, address = argument.partition("=")
        if region not in config.regions or not address:
            problem = Problem(
                config.path, 0, f"--shard {argument} names no region of this file", "Use --shard REGION=HOST:PORT"
            )
            raise ConfigError([problem])
        addresses[region] = address
    return addresses
