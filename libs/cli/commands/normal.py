"""`storex normal`: what is normal for an instance's metrics, and which of them are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType

from libs.cli.output import Output, proto_json, table_of
from libs.cli.past import AtOption, NameArgument, call, full_name, limits_in, moment_of, written
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, SnapshotOption, StateDirOption, UserOption, connect
from libs.cli.times import parse_span
from storex.history.v1.history_pb2 import GetNormalRequest, GetNormalResponse, Normal, NormalBasis

_BASES = {
    NormalBasis.NORMAL_BASIS_UNSPECIFIED: "not known yet",
    NormalBasis.NORMAL_BASIS_RECENT: "the hours before",
    NormalBasis.NORMAL_BASIS_SAME_HOUR: "the same hour of other days",
}


def normal(
    name: NameArgument,
    metrics: Annotated[list[str] | None, typer.Argument(help="The metrics; all if none is given.")] = None,
    at: AtOption = None,
    span: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long before that is looked at.")] = "1m",
    snapshot: SnapshotOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Compare an instance's metrics with what is normal for them, the least normal first."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user, snapshot) as client:
        request = GetNormalRequest(name=full_name(client, name), metrics=metrics or [])
        request.window.FromTimedelta(parse_span(span))
        if at is not None:
            request.at.FromDatetime(moment_of(at, client))
        answer = call(client, client.history.GetNormal, request)
    if as_json:
        output.json(proto_json(answer))
    else:
        output.show(*_view(answer))


def _view(answer: GetNormalResponse) -> Iterator[RenderableType]:
    yield plain(f"{written(answer.window_start)} to {written(answer.window_end)} UTC", "bold")
    columns = ("metric", "then", "normally", "mostly within", "deviation", "", "compared with")
    yield table_of(columns, [_row(one) for one in answer.normals], {"unusual": "bold red"})
    yield from map(plain, limits_in(answer.observation))


def _row(one: Normal) -> tuple[str, ...]:
    then = f"{one.current:,.6g} {one.unit}" if one.HasField("current") else "not recorded"
    basis = _BASES.get(one.basis, "")
    if one.basis == NormalBasis.NORMAL_BASIS_UNSPECIFIED:
        return (one.metric, then, "", "", "", "", basis)
    within = f"{one.fifth_percentile:,.4g} to {one.ninety_fifth_percentile:,.4g}"
    deviation = f"{one.deviation:+.1f}" if one.HasField("current") else ""
    return (one.metric, then, f"{one.median:,.6g}", within, deviation, "unusual" if one.unusual else "", basis)
