"""`storex ask`: a question in plain words, the investigation as it happens, and the report."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from libs.cli.commands.diag import not_found
from libs.cli.failures import CommandError, ExitStatus
from libs.cli.investigation import follow
from libs.cli.output import Output, proto_json
from libs.cli.report import follow_up_view, report_markdown, report_view
from libs.cli.session import FileOption, JsonOption, SnapshotOption, StateDirOption, UserOption, connect
from libs.cli.times import parse_moment, parse_span
from libs.client import CallError, Listing, StorexClient, resolve_target
from libs.client.targets import is_complete
from storex.agent.v1.agent_pb2 import AskRequest, GetSessionRequest
from storex.agent.v1.report_pb2 import Report


def ask(
    target: Annotated[
        str, typer.Argument(help="regions/R/instances/I, a unique short name, service:NAME, or a region.")
    ] = "",
    question: Annotated[
        str | None,
        typer.Argument(
            help="The question; with --session or --snapshot TARGET may be left out, and with --session both, to go on"
            " with one that was cut short."
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Ask about then: 02:30, a date and time, or 20m (ago).")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How long before that: 10m, 1h.")
    ] = None,
    session: Annotated[str, typer.Option("--session", help="Go on with a session; its id is below each report.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the report as Markdown.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="With --session: the whole report, not only what it says anew.")
    ] = False,
    snapshot: SnapshotOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Ask why something is slow, or anything about it. Steps go to standard error, the report to standard output.

    A follow-up tells its answer, and what the report says anew.
    """
    target, question = _target_and_question(target, question, session, snapshot)
    request = AskRequest(question=question, session_id=session, resume=not question)
    _set_time(request, at, span)
    output = Output(as_json=as_json)
    with connect(file, state_dir, user, snapshot) as client:
        if target:
            request.target = resolve_target(target, Listing() if is_complete(target) else client.listing())
        before = None if whole or as_json or markdown else _last_report(client, request)
        report = _ask(client, request, output)
    if markdown and not as_json:
        output.show(report_markdown(report))
    else:
        _show(report, before, output)


def _show(report: Report, before: Report | None, output: Output) -> None:
    if output.as_json:
        output.json(proto_json(report))
    else:
        output.show(*(report_view(report) if before is None else follow_up_view(report, before)))


def _last_report(client: StorexClient, request: AskRequest) -> Report | None:
    """What the session said last, where a question follows up on it."""
    if not request.session_id or request.resume:
        return None
    session = client.call(client.agent.GetSession, GetSessionRequest(session_id=request.session_id)).session
    reports = [turn.report for turn in session.turns if turn.HasField("report")]
    return reports[-1] if reports else None


def _target_and_question(target: str, question: str | None, session: str, snapshot: str) -> tuple[str, str]:
    """What the words mean; a word alone is the question of a session or a snapshot, unless it names a target."""
    only = target if question is None and (session or snapshot) else ""
    if only:
        target, question = snapshot.partition("/snapshots/")[0], only
    names_a_target = len(only.split()) == 1 and (is_complete(only) or only == target.rpartition("/")[2])
    if names_a_target or (not session and not (question or "").strip()):
        example = f'storex ask {only or "TARGET"} "why is it slow?"'
        raise CommandError("The question is missing.", example, ExitStatus.USAGE)
    return target, question or ""


def _ask(client: StorexClient, request: AskRequest, output: Output) -> Report:
    try:
        return follow(client, request, output)
    except CallError as error:
        if error.reason != "RESOURCE_NOT_FOUND":
            raise
        raise not_found(client, error, request.target) from None


def _set_time(request: AskRequest, at: str | None, span: str | None) -> None:
    if at is not None:
        request.at.FromDatetime(parse_moment(at, datetime.now().astimezone()))
    if span is not None:
        request.duration.FromTimedelta(parse_span(span))
