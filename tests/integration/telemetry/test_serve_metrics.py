from __future__ import annotations

import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from libs.telemetry.metrics import RpcMetrics, serve_metrics


def test_metrics_are_served_until_stopped_and_a_taken_port_is_told() -> None:
    registry = CollectorRegistry()
    metrics = RpcMetrics(registry)
    metrics.started("/s/M")
    metrics.ended("/s/M", "OK", "", 0.01)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = serve_metrics(port, registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        with pytest.raises(OSError, match="in use"):
            serve_metrics(port, registry)
    finally:
        stop()
    assert 'storex_rpc_calls_total{code="OK",method="/s/M",reason=""} 1.0' in text
    serve_metrics(port, registry)()
