"""Evidence that cannot lie: each value is read from the collected answer that it cites."""

from __future__ import annotations

from google.protobuf.message import Message

from libs.sensitivity.paths import resolve_path
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import session_pb2


def cite(tool: str, answer: Message, path: str, statement: str) -> entity_pb2.Evidence:
    """The value at `path` in a tool's answer, with its class; `statement` says what it shows, without principals.

    Raises PathError where the path leads nowhere, which is a detector's mistake.
    """
    value, value_class = resolve_path(answer, path)
    observation: session_pb2.Observation = getattr(answer, "observation")  # noqa: B009 - every answer has one
    return entity_pb2.Evidence(
        tool=tool,
        path=path,
        value=value,
        value_class=value_class,
        statement=statement,
        observed_at=observation.observed_at,
    )
