from __future__ import annotations

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.telemetry.spans import TraceContext, Tracing, parse_traceparent

PARENT = TraceContext(trace_id=0xABC, span_id=0xDEF, sampled=True)


def test_a_trace_context_survives_its_header() -> None:
    assert parse_traceparent(PARENT.header) == PARENT


@pytest.mark.parametrize(
    "header",
    ["", "00-0-0-00", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "01" + PARENT.header[2:], PARENT.header + "\n"],
)
def test_what_is_no_header_starts_a_trace_of_its_own(header: str) -> None:
    assert parse_traceparent(header) is None


def test_a_sampled_call_is_recorded_below_its_parent() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing("shard", exporter, sampled_ratio=0.0)
    with tracing.span("call", PARENT) as span:
        span.set("rpc.reason", "OK")
    tracing.shutdown()
    (recorded,) = exporter.get_finished_spans()
    assert recorded.parent is not None
    assert (recorded.parent.span_id, recorded.context.trace_id) == (PARENT.span_id, PARENT.trace_id)
    assert dict(recorded.attributes or {}) == {"rpc.reason": "OK"}
    assert span.context.span_id == recorded.context.span_id


def test_what_is_not_sampled_is_not_recorded_and_still_passed_on() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing("shard", exporter, sampled_ratio=0.0)
    with tracing.span("call", TraceContext(0xABC, 0xDEF, sampled=False)) as below, tracing.span("call", None) as root:
        pass
    tracing.shutdown()
    assert exporter.get_finished_spans() == ()
    assert below.context.trace_id == 0xABC
    assert below.context.span_id != 0xDEF
    assert parse_traceparent(root.context.header) == root.context
