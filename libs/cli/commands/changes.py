"""`storex changes`: what changed on an instance, newest first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.output import Output, proto_json, table_of
from libs.cli.past import AtOption, NameArgument, call, full_name, limits_in, moment_of, written
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, SnapshotOption, StateDirOption, UserOption, connect
from libs.cli.times import parse_span
from storex.history.v1.history_pb2 import Change, ChangeKind, ListChangesRequest

_PREFIX = "CHANGE_KIND_"
KINDS = {name.removeprefix(_PREFIX).lower(): number for name, number in ChangeKind.items() if number}
"""The kinds of change by the words that people use."""


def changes(
    name: NameArgument,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help=f"Only these; may be repeated: {', '.join(KINDS)}.")
    ] = None,
    at: AtOption = None,
    span: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long before that: 1h, 7d.")] = "24h",
    page_size: Annotated[int, typer.Option("--most", help="How many at most.")] = 100,
    snapshot: SnapshotOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """List what changed: variables, tables, version, restarts, statements, clients, deployments."""
    unknown = [kind for kind in kinds or [] if kind not in KINDS]
    if unknown:
        raise CommandError(
            f"There is no kind of change {unknown[0]!r}.", f"There is {', '.join(KINDS)}.", ExitStatus.USAGE
        )
    output = Output(as_json=as_json)
    with connect(file, state_dir, user, snapshot) as client:
        request = ListChangesRequest(
            name=full_name(client, name), page_size=page_size, kinds=[KINDS[kind] for kind in kinds or []]
        )
        end = moment_of(at, client)
        request.end.FromDatetime(end)
        request.start.FromDatetime(end - parse_span(span))
        answer = call(client, client.history.ListChanges, request)
    if as_json:
        output.json(proto_json(answer))
        return
    rows = [(written(change.changed_at), _kind(change), sentence(change)) for change in answer.changes]
    output.show(table_of(("UTC", "kind", "what changed"), rows))
    if not rows:
        output.show(plain(f"Nothing changed in the {span} that were asked for."))
    output.show(*map(plain, limits_in(answer.observation)))
    if answer.next_page_token:
        output.show(plain("There are more: raise --most, or narrow --for or --kind."))


def _kind(change: Change) -> str:
    return ChangeKind.Name(change.kind).removeprefix(_PREFIX).lower()


def sentence(change: Change) -> str:
    """What changed, in a line."""
    describe = _SENTENCES.get(change.WhichOneof("subject") or "")
    return "" if describe is None else describe(change)


def _variable(change: Change) -> str:
    found = change.variable
    if found.withheld:
        return f"{found.variable} (values stay in the region)"
    return f"{found.variable}: {found.old_value or '(empty)'} -> {found.new_value or '(empty)'}"


def _table(change: Change) -> str:
    found = change.table
    part = found.column or found.index
    return " ".join(filter(None, (found.table, found.action.replace("_", " "), part, found.definition)))


def _server(change: Change) -> str:
    found = change.server
    return f"{found.old_version} -> {found.new_version}" if found.old_version else f"restarted as {found.new_version}"


def _client(change: Change) -> str:
    found = change.client
    parts = (found.user, found.program, found.program_version, found.driver)
    return " ".join(filter(None, parts))


def _statement(change: Change) -> str:
    return f"{change.statement.statement.digest} {change.statement.statement.digest_text}"


def _deploy(change: Change) -> str:
    return " ".join(filter(None, (change.deploy.service, change.deploy.version, change.deploy.note)))


def _clock(change: Change) -> str:
    return f"the shard's clock was set by {change.clock.step_seconds:+g} s"


_SENTENCES: dict[str, Callable[[Change], str]] = {
    "variable": _variable,
    "table": _table,
    "server": _server,
    "statement": _statement,
    "client": _client,
    "deploy": _deploy,
    "clock": _clock,
}
