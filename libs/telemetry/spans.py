"""Spans and the W3C trace context.

Whether a call is recorded is decided before a span is made: one that is not costs two random numbers instead of an
SDK span, and its trace context still travels on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace, as it travels in the header `traceparent` (https://www.w3.org/TR/trace-context/)."""

    trace_id: int
    span_id: int
    sampled: bool

    @property
    def header(self) -> str:
        """The header's value."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self.sampled):02x}"


def parse_traceparent(header: str) -> TraceContext | None:
    """Read a `traceparent` header; None for what is not one."""
    match = _TRACEPARENT.fullmatch(header)
    if match is None:
        return None
    trace_id, span_id = int(match[1], 16), int(match[2], 16)
    return TraceContext(trace_id, span_id, bool(int(match[3], 16) & 1)) if trace_id and span_id else None


class Span:
    """A piece of work under way."""

    def __init__(self, context: TraceContext, recorded: trace.Span | None = None) -> None:
        self.context = context
        self._recorded = recorded

    def set(self, attribute: str, value: str | int | float) -> None:
        """Add an attribute; values must be PUBLIC."""
        if self._recorded is not None:
            self._recorded.set_attribute(attribute, value)


class Tracing:
    """Makes spans for one service. Without an exporter nothing is recorded and contexts are still passed on."""

    def __init__(self, service: str, exporter: SpanExporter | None = None, sampled_ratio: float = 0.01) -> None:
        self._ratio = sampled_ratio if exporter is not None else 0.0
        self._provider: TracerProvider | None = None
        if exporter is not None:
            self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
            self._tracer = self._provider.get_tracer("storex")

    @contextmanager
    def span(self, name: str, parent: TraceContext | None) -> Iterator[Span]:
        """A span around the block; recorded if its parent is, or by chance where there is no parent."""
        sampled = parent.sampled if parent is not None else self._ratio > 0 and _random.random() < self._ratio
        if self._provider is None or not sampled:
            trace_id = parent.trace_id if parent is not None else _random.getrandbits(128) or 1
            yield Span(TraceContext(trace_id, _random.getrandbits(64) or 1, sampled))
            return
        recorded = self._tracer.start_span(name, context=_remote(parent), kind=SpanKind.SERVER)
        context = recorded.get_span_context()
        try:
            yield Span(TraceContext(context.trace_id, context.span_id, True), recorded)
        finally:
            recorded.end()

    def shutdown(self) -> None:
        """Export what is left; blocks while it does."""
        if self._provider is not None:
            self._provider.shutdown()


def _remote(parent: TraceContext | None) -> Context | None:
    if parent is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED)
    return trace.set_span_in_context(
        NonRecordingSpan(SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags))
    )
