"""The services' own tokens: short-lived, in files that only their owner can read, replaced long before they end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.cli.mesh.plan import ServiceSpec
from libs.cli.mesh.state import write_private
from libs.identity import LocalIssuer

LIFETIME_SECONDS = 900.0
ROTATION_SECONDS = 300.0
RETRY_SECONDS = 10.0


class TokenRotation:
    """Writes every service's token, and writes them anew while it is kept running."""

    def __init__(self, issuer: LocalIssuer, services: Sequence[ServiceSpec]) -> None:
        self._issuer = issuer
        self._services = services

    def write(self) -> None:
        """Give every service a fresh token. Raises OSError."""
        for service in self._services:
            write_private(service.token_file, self._issuer.issue_service(service.identity, LIFETIME_SECONDS))

    async def keep_fresh(self) -> None:
        """Replace the tokens at intervals, until cancelled; a disk that is full now may have room again in time."""
        pause = ROTATION_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                self.write()
            except OSError:
                pause = RETRY_SECONDS
            else:
                pause = ROTATION_SECONDS
