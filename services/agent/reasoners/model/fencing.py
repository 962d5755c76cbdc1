"""What a model is shown of a tool's answer: trimmed to size, free of principals, fenced as data."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome
from services.agent.reasoners.model.boundary import Boundary
from services.agent.reasoners.model.trimming import trimmed
from services.agent.records import Record
from storex.agent.v1 import agent_pb2
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2

MAX_CHARACTERS = 12_000
"""Most that is shown of one answer."""
MORE = "show_more"


class Fence:
    """Wraps answers between marks that nobody who writes into a database can know beforehand.

    What lies beyond the `boundary` is not shown at all.
    """

    def __init__(self, view: ModelView, boundary: Boundary | None = None) -> None:
        self._view = view
        self.boundary = boundary or Boundary()
        self._mark = secrets.token_hex(8)

    def quote(self, head: str, text: str) -> str:
        """A text that is not the reader's own and no instruction to it."""
        return f"{head}\n<DATA {self._mark}>\n{text}\n</DATA {self._mark}>"

    def wrap(
        self, outcome: CallOutcome, known: Iterable[Record] = (), start: int = 0, limit: int = MAX_CHARACTERS
    ) -> str:
        """The outcome of a call as a model reads it, in `limit` characters of data at most.

        What `known` records name stays in view when an answer is cut; `start` leaves out what was shown before.
        """
        outcome = self.boundary.outcome(outcome)
        status = agent_pb2.ToolStatus.Name(outcome.status).removeprefix("TOOL_STATUS_")
        lines = [f"{outcome.request.tool} {status}"]
        if outcome.repeated:
            lines.append("You asked this before; this is the same answer.")
        if outcome.problem:
            lines.append(outcome.problem)
        body = trimmed(
            [self._shown(record) for record in outcome.records if record.message is not None],
            limit,
            relevant=self._relevant((*known, *outcome.records)),
            how_to_see=f"{MORE} with call {outcome.call_id} and start {{start}}",
            start=start,
        )
        if body:
            lines += [f"<DATA {self._mark}>", body, f"</DATA {self._mark}>"]
        return "\n".join(lines)

    def _shown(self, record: Record) -> dict[str, Any]:
        if record.message is None:
            return {}
        shown = self._view.show(record.message)
        return dict(json_format.MessageToDict(shown, preserving_proto_field_name=True))

    def _relevant(self, records: Iterable[Record]) -> frozenset[str]:
        """What findings are about, and who stands at the root of lock waits, as the model sees these names."""
        values: set[str] = set()
        for record in records:
            if record.health is not None:
                for finding in record.health.findings:
                    values.update(entity.value for entity in map(self._seen, finding.entities))
            elif isinstance(record.message, diagnostics_pb2.GetLockWaitsResponse):
                values.update(str(holder.session.connection_id) for holder in record.message.holders)
        return frozenset(values - {"", "0"})

    def _seen(self, entity: entity_pb2.Entity) -> entity_pb2.Entity:
        return self._view.show(entity)
