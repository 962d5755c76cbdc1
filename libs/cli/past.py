"""What the commands about the past share: one instance, a range of time, and how a moment is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Protocol, TypeVar

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp

from libs.cli.commands.diag import not_found
from libs.cli.times import parse_moment
from libs.client import CallError, Listing, StorexClient, resolve_instance
from storex.diagnostics.v1.session_pb2 import Observation
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotRequest

NameArgument = Annotated[str, typer.Argument(help="regions/R/instances/I, or a unique short name.")]
AtOption = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="Until then: 02:30, a date and time, or 20m (ago); else now.")
]


class _OfInstance(Protocol):
    name: str


Q = TypeVar("Q", bound=_OfInstance)
A = TypeVar("A")


def full_name(client: StorexClient, name: str) -> str:
    """The instance's full name. Raises TargetError, CallError."""
    return resolve_instance(name, Listing() if name.startswith("regions/") else client.listing())


def call(client: StorexClient, method: grpc.UnaryUnaryMultiCallable[Q, A], request: Q) -> A:
    """Call a method about one instance; a name that the server does not know fails with near matches."""
    try:
        return client.call(method, request)
    except CallError as error:
        if error.reason != "RESOURCE_NOT_FOUND":
            raise
        raise not_found(client, error, request.name) from None


def moment_of(at: str | None, client: StorexClient | None = None) -> datetime:
    """The moment that `--at` means; a client that asks a snapshot counts from that one's. Raises CommandError."""
    now = datetime.now().astimezone()
    if client is not None and client.snapshot:
        found = client.call(client.snapshots.GetSnapshot, GetSnapshotRequest(name=client.snapshot)).snapshot
        now = found.captured_at.ToDatetime(UTC).astimezone()
    return now if at is None else parse_moment(at, now)


def written(stamp: Timestamp) -> str:
    """A moment as the views print it."""
    return f"{datetime.fromtimestamp(stamp.seconds, UTC):%Y-%m-%d %H:%M:%S}"


def limits_in(observation: Observation) -> list[str]:
    """What the answer lacks, each in a line."""
    return [f"{limit.message} {limit.remedy}".strip() for limit in observation.limits]
