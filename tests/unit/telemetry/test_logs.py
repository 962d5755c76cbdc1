from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from libs.telemetry.logs import configure_logging, log_fields


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("shard", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_service_request_and_fields(written: io.StringIO) -> None:
    token = log_fields.set({"request_id": "req_1", "trace_id": "ab"})
    logging.getLogger("libs.rpc").info("answered %s", "well", extra={"fields": {"code": "OK"}})
    log_fields.reset(token)
    (line,) = lines(written)
    assert line["message"] == "answered well"
    assert (line["service"], line["request_id"], line["trace_id"], line["code"]) == ("shard", "req_1", "ab", "OK")


def test_an_exceptions_text_is_never_written_but_its_places_are(written: io.StringIO) -> None:
    try:
        raise ValueError("canary-4711")
    except ValueError:
        logging.getLogger("services.shard").exception("collector failed")
    (line,) = lines(written)
    assert line["error_type"] == "ValueError"
    assert "test_logs.py" in line["where"][-1]
    assert "canary" not in written.getvalue()


def test_foreign_loggers_arguments_and_later_lines_are_dropped(written: io.StringIO) -> None:
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: ValueError('canary-4711')")
    logging.getLogger("pymysql").warning("query %s failed", "canary-4711")
    assert [line["message"] for line in lines(written)] == ["Task exception was never retrieved", "query %s failed"]
    assert "canary" not in written.getvalue()


def test_a_line_end_in_a_value_starts_no_line(written: io.StringIO) -> None:
    logging.getLogger("libs.rpc").info("%s", 'x\n{"level": "forged"}')
    assert len(lines(written)) == 1
