"""`python -m services.agent`: run the agent until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from libs.config import ConfigError
from libs.policy import PolicyError
from libs.telemetry.logs import configure_logging
from services.agent.app import build
from services.agent.config import AgentConfig, read_config


async def serve(config: AgentConfig) -> None:
    """Serve until told to stop. Raises OSError and PolicyError when it cannot start."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    app = await build(config)
    try:
        await app.start()
        await stopping.wait()
    finally:
        await app.stop()


def main() -> int:
    """Run from the command line; returns the exit status."""
    configure_logging("agent")
    try:
        asyncio.run(serve(read_config(sys.argv[1:], os.environ)))
    except (ConfigError, PolicyError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
