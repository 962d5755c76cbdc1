"""`storex snapshot`: record an instance as it is now, and ask it later with `--snapshot NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from libs.cli.message_view import message_view
from libs.cli.output import Output, proto_json, table_of
from libs.cli.past import NameArgument, call, full_name, written
from libs.cli.program import command
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, Place, StateDirOption, UserOption, connect
from libs.cli.snapshot_copies import copy_out, take_in
from libs.client import StorexClient
from libs.core.names import parse_name
from storex.snapshot.v1.snapshot_pb2 import (
    CreateSnapshotRequest,
    DeleteSnapshotRequest,
    GetSnapshotRequest,
    ListSnapshotsRequest,
    Snapshot,
    SnapshotTrigger,
)

app = typer.Typer(help="Record an instance as it is now, and ask it later.", no_args_is_help=True)

SnapshotArgument = Annotated[str, typer.Argument(help="regions/R/instances/I/snapshots/S, as `list` shows it.")]


@app.command()
def create(
    name: NameArgument,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Record an instance, with its replicas that the same shard serves."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        request = CreateSnapshotRequest(name=full_name(client, name))
        made = call(client, client.snapshots.CreateSnapshot, request).snapshot
    _show_one(output, made, file)


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="An instance, or regions/R; without it those of every region.")] = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """List snapshots, newest first."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        found = [snapshot for one in _places(client, name) for snapshot in _all(client, one)]
    found.sort(key=lambda one: (-one.captured_at.seconds, one.name))
    if as_json:
        output.json([proto_json(snapshot) for snapshot in found])
        return
    columns = ("snapshot", "of (UTC)", "engine", "why", "size", "lacks")
    output.show(table_of(columns, [_row(snapshot) for snapshot in found]))


@app.command()
def show(
    name: SnapshotArgument,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show what is known of a snapshot without opening it."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        found = client.call(client.snapshots.GetSnapshot, GetSnapshotRequest(name=name)).snapshot
    if as_json:
        output.json(proto_json(found))
    else:
        output.show(*message_view(found))


@app.command()
def delete(
    name: SnapshotArgument,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
) -> None:
    """Destroy a snapshot's key: no copy of it, exports included, can be read after that."""
    with connect(file, state_dir, user) as client:
        client.call(client.snapshots.DeleteSnapshot, DeleteSnapshotRequest(name=name))
    Output(as_json=False).note(plain(f"{name} is gone for good.").plain)


@app.command()
def export(
    name: SnapshotArgument,
    target: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to put the copy.")],
    in_plain: Annotated[
        bool, typer.Option("--plain", help="Without encryption; only where the region's data is made up (`lab: true`).")
    ] = False,
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
) -> None:
    """Copy a snapshot into a file, on the machine of the region's shard. A sealed copy dies with the snapshot."""
    with connect(file, state_dir, user) as client:
        size = copy_out(client, Place.find(file, state_dir), name, target, in_plain=in_plain)
    Output(as_json=False).note(f"{target}: {size:,} bytes")


@app.command("import")
def import_(
    name: NameArgument,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `export` wrote.")],
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Take a copy in as a snapshot of an instance, on the machine of the region's shard."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        made = take_in(client, Place.find(file, state_dir), full_name(client, name), source)
    _show_one(output, made, file)


def _places(client: StorexClient, name: str) -> list[str]:
    if not name:
        return [region.name for region in client.listing().regions]
    return [name if name.startswith("regions/") else full_name(client, name)]


def _all(client: StorexClient, name: str) -> list[Snapshot]:
    found: list[Snapshot] = []
    token = ""
    while True:
        request = ListSnapshotsRequest(name=name, page_token=token)
        page = client.call(client.snapshots.ListSnapshots, request)
        found.extend(page.snapshots)
        token = page.next_page_token
        if not token:
            return found


def _show_one(output: Output, made: Snapshot, file: Path | None) -> None:
    if output.as_json:
        output.json(proto_json(made))
        return
    output.show(plain(made.name))
    output.note(f"{len(made.instances)} instance(s), {made.size_bytes:,} bytes, read in {made.took_seconds:g} s.")
    for limit in made.limits:
        output.note(f"Not captured: {limit.message}", "yellow")
    instance = str(parse_name(made.name, snapshots=True).instance_name)
    again = command("ask", instance, "why is it slow?", "--snapshot", made.name, file=file)
    output.note(f"Ask it: {again}")


def _row(one: Snapshot) -> tuple[str, ...]:
    why = SnapshotTrigger.Name(one.trigger).removeprefix("SNAPSHOT_TRIGGER_").lower()
    engine = f"{one.engine} {one.version}".strip()
    return (one.name, written(one.captured_at), engine, why, f"{one.size_bytes:,}", str(len(one.limits) or ""))
