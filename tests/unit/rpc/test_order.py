from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from libs.identity import AUDIENCE, ISSUER, TokenVerifier
from libs.policy import load_policy
from libs.rpc.interceptors import InterceptorDeps, server_interceptors
from libs.telemetry.spans import Tracing
from tests.integration.rpc.scripted import StaticDirectory


def test_interceptors_stand_in_the_order_that_the_design_gives(tmp_path: Path) -> None:
    deps = InterceptorDeps(
        verifier=TokenVerifier(tmp_path / "jwks.json", ISSUER, AUDIENCE),
        policy=load_policy(None),
        directory=StaticDirectory([]),
        relay=None,
        tracing=Tracing("test"),
        registry=CollectorRegistry(),
    )
    assert [type(step).__name__ for step in server_interceptors(deps)] == [
        "RequestContext",
        "AccessLog",
        "ErrorMapping",
        "Guard",
        "Authenticate",
        "Authorise",
        "RateLimit",
    ]
