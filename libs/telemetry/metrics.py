"""Prometheus metrics of a service, and the port that they are read from."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RpcMetrics:
    """Calls by method and outcome. Label children are cached: looking one up costs more than counting with it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter("storex_rpc_calls", "Calls that ended.", ("method", "code", "reason"), registry=registry)
        self._seconds = Histogram(
            "storex_rpc_seconds", "Duration of calls.", ("method",), registry=registry, buckets=_SECONDS
        )
        self._active = Gauge("storex_rpc_active", "Calls under way.", ("method",), registry=registry)
        self._call_children: dict[tuple[str, str, str], Counter] = {}
        self._method_children: dict[str, tuple[Histogram, Gauge]] = {}

    def started(self, method: str) -> None:
        """Count a call that starts. `method` must come from the method table, never from the peer."""
        self._of_method(method)[1].inc()

    def ended(self, method: str, code: str, reason: str, seconds: float) -> None:
        """Count a call that was started and has ended."""
        histogram, active = self._of_method(method)
        histogram.observe(seconds)
        active.dec()
        key = (method, code, reason)
        child = self._call_children.get(key)
        if child is None:
            child = self._call_children[key] = self._calls.labels(*key)
        child.inc()

    def _of_method(self, method: str) -> tuple[Histogram, Gauge]:
        children = self._method_children.get(method)
        if children is None:
            children = (self._seconds.labels(method), self._active.labels(method))
            self._method_children[method] = children
        return children


def serve_metrics(port: int, registry: CollectorRegistry, host: str = "127.0.0.1") -> Callable[[], None]:
    """Serve the registry over HTTP in a thread of its own; returns what stops it. Raises OSError for a taken port."""
    server, thread = start_http_server(port, host, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
