from __future__ import annotations

from pathlib import Path

import pytest

from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def issuer(tmp_path: Path, clock: ManualClock) -> LocalIssuer:
    return LocalIssuer.open(tmp_path, clock)


@pytest.fixture
def verifier(issuer: LocalIssuer, clock: ManualClock) -> TokenVerifier:
    return TokenVerifier(issuer.jwks_path, ISSUER, AUDIENCE, clock)
