"""What every service's `__main__` does: read the common arguments, run until told to stop, then drain.

A process ends with 0 when it was told to stop, with 2 when its configuration or an argument is wrong (the reason goes
to standard error, in the words of the part that noticed), and with 1 when it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from libs.config import ConfigError, StorexConfig, load_config
from libs.policy import PolicyError
from libs.telemetry.logs import configure_logging

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """What every service is told: its configuration, where to listen, its own token, where to show metrics (0: not)."""

    config: StorexConfig
    listen: str
    token_file: Path
    metrics_port: int


def argument_parser(service: str) -> argparse.ArgumentParser:
    """A parser of the arguments that every service takes; add the service's own."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    parser.add_argument("--config", type=Path, required=True, help="storex.yaml")
    parser.add_argument("--listen", required=True, metavar="HOST:PORT")
    parser.add_argument(
        "--token-file", type=Path, required=True, help="this service's own token, kept fresh by its supervisor"
    )
    parser.add_argument("--metrics-port", type=int, default=0)
    return parser


def process_settings(arguments: argparse.Namespace) -> ProcessSettings:
    """The common settings. Raises ConfigError."""
    return ProcessSettings(
        load_config(arguments.config), arguments.listen, arguments.token_file, arguments.metrics_port
    )


def run_service(service: str, build: Callable[[], AbstractAsyncContextManager[object]]) -> int:
    """Build the service, keep it entered until SIGTERM or SIGINT, leave it; returns the exit status.

    `build` is called on the event loop.
    """
    configure_logging(service)
    try:
        asyncio.run(_run(build))
    except (ConfigError, PolicyError, OSError) as error:
        print(f"{service}: {error}", file=sys.stderr)
        return 2
    except Exception:
        _log.critical("the service failed", exc_info=True)
        return 1
    return 0


async def _run(build: Callable[[], AbstractAsyncContextManager[object]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with build():
        _log.info("serving")
        await stop.wait()
        _log.info("draining")
