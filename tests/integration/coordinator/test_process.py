"""The coordinator as the process that a supervisor starts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from libs.identity import LocalIssuer
from tests.integration.coordinator.conftest import CONFIGURATION

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def page(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=5) as answer:
        content: bytes = answer.read()
        return content


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.coordinator", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def common(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "storex.yaml").write_text(CONFIGURATION)
    token = tmp_path / "coordinator.jwt"
    token.write_text(LocalIssuer.open(tmp_path / "state").issue_service("coordinator"))
    return ("--config", str(tmp_path / "storex.yaml"), "--token-file", str(token))


async def test_it_serves_says_so_shows_metrics_and_ends_when_told(common: tuple[str, ...]) -> None:
    port, metrics = free_port(), free_port()
    listen = ("--listen", f"127.0.0.1:{port}", "--metrics-port", str(metrics))
    with running(*common, *listen, "--shard", "eu-west-1=127.0.0.1:1") as process:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            status: int = health_pb2.HealthCheckResponse.NOT_SERVING
            for _ in range(100):
                answer = await check(health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True)
                status = answer.status
                if status == health_pb2.HealthCheckResponse.SERVING:
                    break
                await asyncio.sleep(0.05)
            assert status == health_pb2.HealthCheckResponse.SERVING
        assert b"storex_rpc_seconds" in await asyncio.to_thread(page, f"http://127.0.0.1:{metrics}/metrics")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "Traceback" not in log
    assert '"message": "draining"' in log


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--shard", "nowhere=127.0.0.1:1"), "names no region"),
        (("--shard", "eu-west-1"), "names no region"),
        (("--config", "/nonexistent/storex.yaml"), "storex.yaml"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(common: tuple[str, ...], arguments: tuple[str, ...], told: str) -> None:
    with running(*common, "--listen", f"127.0.0.1:{free_port()}", *arguments) as process:
        _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert told in log
    assert "Traceback" not in log


def test_a_taken_port_is_told_and_nothing_is_left_running(common: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with running(*common, "--listen", address) as process:
            _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"cannot listen on {address}" in log
