"""What changed, as it was recorded, in the words of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of
from services.shard.history.ranges import asked_range
from services.shard.history.recorded import archive_of, recording_limits
from services.shard.sampler import differences
from services.shard.stores.records import Change, Content, SeenStatement, StatementKey
from services.shard.stores.sql_store import MOST_CHANGES
from services.shard.view import InstanceView, timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import session_pb2
from storex.history.v1 import history_pb2

DEFAULT_SECONDS = 86_400.0
"""The range when none is asked for."""
Seen = Mapping[StatementKey, SeenStatement]

_KINDS: dict[str, history_pb2.ChangeKind.ValueType] = {
    differences.VARIABLE: history_pb2.CHANGE_KIND_VARIABLE,
    differences.TABLE: history_pb2.CHANGE_KIND_TABLE,
    differences.VERSION: history_pb2.CHANGE_KIND_VERSION,
    differences.RESTART: history_pb2.CHANGE_KIND_RESTART,
    differences.STATEMENT_NEW: history_pb2.CHANGE_KIND_STATEMENT_NEW,
    differences.STATEMENT_VANISHED: history_pb2.CHANGE_KIND_STATEMENT_VANISHED,
    differences.CLIENT_NEW: history_pb2.CHANGE_KIND_CLIENT_NEW,
    differences.CLIENT_GONE: history_pb2.CHANGE_KIND_CLIENT_GONE,
    differences.DEPLOY: history_pb2.CHANGE_KIND_DEPLOY,
    differences.CLOCK: history_pb2.CHANGE_KIND_CLOCK,
}


async def list_changes(view: InstanceView, request: history_pb2.ListChangesRequest) -> history_pb2.ListChangesResponse:
    """Read the changes of a range. Raises StorexError TIME_RANGE_INVALID, REQUEST_INVALID, PAGE_TOKEN_INVALID."""
    now, archive, name = view.clock.now(), archive_of(view), str(view.name)
    asked = asked_range(request, now, DEFAULT_SECONDS)
    kinds = [kind for kind, number in _KINDS.items() if number in request.kinds]
    if len(kinds) != len(set(request.kinds)):
        raise StorexError(Reason.REQUEST_INVALID, field="kinds", problem="it names a kind that there is not")
    found = await archive.ask(lambda store: store.changes(name, asked.start, asked.end, kinds))
    seen = await archive.ask(lambda store: store.statements(name))
    page, token = page_of(found, request.page_size, request.page_token, default=100, largest=1000)
    limits = recording_limits(archive)
    if len(found) >= MOST_CHANGES:
        message = f"There are more than {MOST_CHANGES} changes; the oldest are left out."
        remedy = "Ask for a shorter range, or for fewer kinds."
        limits.append(entity_pb2.Limit(source="history", code="TRUNCATED", message=message, remedy=remedy))
    return history_pb2.ListChangesResponse(
        observation=view.observation(now, None, *limits),
        changes=[encoded(change, seen) for change in page],
        next_page_token=token,
    )


def encoded(change: Change, seen: Seen) -> history_pb2.Change:
    """A recorded change as answers carry it."""
    message = history_pb2.Change(
        id=f"chg_{change.change_id:016x}",
        kind=_KINDS.get(change.kind, history_pb2.CHANGE_KIND_UNSPECIFIED),
        changed_at=timestamp(change.at),
    )
    if change.since is not None:
        message.unchanged_until.CopyFrom(timestamp(change.since))
    fill = _FILL.get(change.kind)
    if fill is not None:
        fill(message, change.content, seen)
    return message


def _variable(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.variable.variable = content["variable"]
    message.variable.old_value = content.get("old", "")
    message.variable.new_value = content.get("new", "")
    message.variable.withheld = "withheld" in content


def _table(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.table.CopyFrom(history_pb2.TableChange(**content))


def _server(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.server.old_version = content.get("old", "")
    message.server.new_version = content.get("new", content.get("version", ""))


def _statement(message: history_pb2.Change, content: Content, seen: Seen) -> None:
    known = seen.get((content["schema"], content["digest"]))
    text = "" if known is None else known.text
    statement = session_pb2.Statement(digest=content["digest"], digest_text=text)
    message.statement.CopyFrom(history_pb2.StatementChange(statement=statement, schema=content["schema"]))


def _client(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.client.CopyFrom(
        history_pb2.ClientChange(
            user=content["user"],
            program=content["program"],
            driver=content["driver"],
            program_version=content["version"],
        )
    )


def _deploy(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.deploy.CopyFrom(history_pb2.DeployEvent(**content, deployed_at=message.changed_at))


def _clock(message: history_pb2.Change, content: Content, _: Seen) -> None:
    message.clock.step_seconds = float(content["step_seconds"])


_FILL: dict[str, Callable[[history_pb2.Change, Content, Seen], None]] = {
    differences.VARIABLE: _variable,
    differences.TABLE: _table,
    differences.VERSION: _server,
    differences.RESTART: _server,
    differences.STATEMENT_NEW: _statement,
    differences.STATEMENT_VANISHED: _statement,
    differences.CLIENT_NEW: _client,
    differences.CLIENT_GONE: _client,
    differences.DEPLOY: _deploy,
    differences.CLOCK: _clock,
}
