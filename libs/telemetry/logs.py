"""Logs: one JSON object a line, with the request and trace it belongs to, and without anything that a caller sent.

Exceptions are logged as their type and the places that they passed, never with their text, because a driver's or a
parser's message can quote data. Of foreign loggers only the unformatted message is kept, for the same reason.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

log_fields: ContextVar[Mapping[str, str]] = ContextVar("storex_log_fields", default={})  # noqa: B039 - a Mapping, never written
"""Fields that every line of this task carries, for example `request_id` and `trace_id`."""

_OWN = ("libs.", "services.", "storex.")
_MAX_FRAMES = 12
_encode = json.JSONEncoder(default=str).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; `extra={"fields": {...}}` adds fields."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line end."""
        own = record.name.startswith(_OWN)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage() if own else str(record.msg).partition("\n")[0],
            **log_fields.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= describe_exception(record.exc_info[1])
        return _encode(line)


def describe_exception(error: BaseException) -> dict[str, object]:
    """An exception's type and the innermost places that it passed, without its text."""
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return {"error_type": type(error).__name__, "where": places[-_MAX_FRAMES:]}


def configure_logging(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Make the root logger of this process write JSON lines; to standard error unless told otherwise."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # What the formatter does not show need not be found out for each line (see the logging HOWTO, "Optimization").
    logging._srcfile = None  # walking the stack
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
