"""What a shard says of itself when everything is recorded: each span, each log line at DEBUG."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import services.shard.app as shard
from libs.identity import LocalIssuer
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.telemetry.logs import JsonFormatter
from libs.telemetry.spans import Tracing
from services.shard.config import parse_arguments
from tests.canary.garden import REGION, Garden
from tests.canary.markers import sightings
from tests.canary.requests import Harvest, malformed, requests_for
from tests.canary.wire import call, to_shard


@pytest.mark.parametrize(
    "failing", [pytest.param(False, id="short"), pytest.param(True, id="thorough", marks=pytest.mark.slow)]
)
async def test_spans_and_logs_hold_no_canary(
    garden: Garden, failing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(shard, "Tracing", lambda service: Tracing(service, exporter, sampled_ratio=1.0))
    issuer, token = LocalIssuer.open(garden.state_dir), tmp_path / "shard.jwt"
    token.write_text(issuer.issue_service("shard"))
    line = ["--config", str(garden.config), "--region", REGION, "--token-file", str(token), "--listen", "127.0.0.1:0"]
    with caplog.at_level(logging.DEBUG):
        async with shard.build(parse_arguments(line)) as app, open_channel(f"127.0.0.1:{app.server.port}") as channel:
            await asyncio.gather(
                *(
                    call(channel, method, request, to_shard(issuer, "dba"))
                    for method in METHODS
                    if method.scope == SCOPE_REGION and (failing or not method.server_streaming)
                    for request in _asked(method, failing=failing)
                )
            )
    spans = "\n".join(span.to_json() for span in exporter.get_finished_spans())
    logged = "\n".join(f"{JsonFormatter('shard').format(record)}" for record in caplog.records)
    assert spans.count("trace_id") > len(METHODS)
    assert logged
    assert not sightings(spans.encode())
    assert not sightings(logged.encode())


def _asked(method: MethodInfo, *, failing: bool) -> Iterator[bytes]:
    for request in requests_for(method, Harvest(), failing=failing, thorough=failing):
        yield request.SerializeToString()
    yield from malformed(method)
