"""What the judge is told on its command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.rpc.process import ProcessSettings, argument_parser, process_settings


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The common settings, and the coordinator's address, through which the judge reaches everything."""

    process: ProcessSettings
    coordinator: str


def parse_arguments(arguments: Sequence[str] | None = None) -> JudgeSettings:
    """Read the command line. Raises ConfigError; leaves through SystemExit for unusable arguments."""
    parser = argument_parser("judge")
    parser.add_argument("--coordinator", required=True, metavar="HOST:PORT")
    parsed = parser.parse_args(arguments)
    return JudgeSettings(process_settings(parsed), parsed.coordinator)
