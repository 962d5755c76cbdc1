"""`storex models`: what was asked of models, and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from libs.cli.output import Output, proto_json, table_of
from libs.cli.past import written
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, StateDirOption, UserOption, connect
from libs.cli.times import parse_span
from storex.agent.v1.agent_pb2 import ListModelUsageRequest, ListModelUsageResponse, ModelUsage, UsageGroup

app = typer.Typer(help="See what models are asked and what they cost.", no_args_is_help=True)


class By(StrEnum):
    """What sums are taken over."""

    PERSON = "person"
    TEAM = "team"
    MODEL = "model"
    PROMPT = "prompt"
    OUTCOME = "outcome"


_GROUPS = {
    By.PERSON: UsageGroup.USAGE_GROUP_SUBJECT,
    By.TEAM: UsageGroup.USAGE_GROUP_TEAM,
    By.MODEL: UsageGroup.USAGE_GROUP_MODEL,
    By.PROMPT: UsageGroup.USAGE_GROUP_PROMPT,
    By.OUTCOME: UsageGroup.USAGE_GROUP_OUTCOME,
}


@app.callback()
def models() -> None:
    """Keep `usage` a command of its own, although it is the only one."""


@app.command("usage")
def usage(
    by: Annotated[By, typer.Option("--by", help="What to take the sums over.")] = By.PERSON,
    span: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How far back: 7d; else this day, UTC.")
    ] = None,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show calls, tokens and cost of models: never what was said."""
    request = ListModelUsageRequest(group=_GROUPS[by])
    if span is not None:
        request.start.FromDatetime(datetime.now(UTC) - parse_span(span))
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        answer = client.call(client.agent.ListModelUsage, request)
    if as_json:
        output.json(proto_json(answer))
    else:
        _show(output, answer, by)


def _show(output: Output, answer: ListModelUsageResponse, by: By) -> None:
    output.show(plain(f"since {written(answer.start)} UTC", "bold"))
    if not answer.usage:
        output.show("No model was asked.")
        return
    columns = (by.value, "calls", "failed", "tokens sent", "received", f"cost ({answer.currency})", "slowest")
    output.show(table_of(columns, [_row(one) for one in answer.usage]))


def _row(one: ModelUsage) -> tuple[str, ...]:
    figures = (f"{figure:,}" for figure in (one.calls, one.failed, one.input_tokens, one.output_tokens))
    return (one.key or "(none)", *figures, f"{one.cost:.4f}", f"{one.slowest_seconds:.1f} s")
