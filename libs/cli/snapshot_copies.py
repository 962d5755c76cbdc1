"""Copies of snapshots as files: they go through the folders of a region's shard, on its machine."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.past import call
from libs.cli.session import Place
from libs.client import StorexClient
from libs.core.names import parse_name
from storex.snapshot.v1.snapshot_pb2 import ExportSnapshotRequest, ImportSnapshotRequest, Snapshot


def copy_out(client: StorexClient, place: Place, name: str, target: Path, *, in_plain: bool) -> int:
    """Copy a snapshot into a file for its owner alone; returns its size in bytes. Raises CallError, CommandError."""
    made = client.call(client.snapshots.ExportSnapshot, ExportSnapshotRequest(name=name, plain=in_plain))
    source = _folder(place, name, "exports") / made.file_name
    if not source.is_file():
        message = f"The copy is {made.file_name} in the shard's folder of exports, which is not on this machine."
        raise CommandError(message, "Fetch it from there.", ExitStatus.UNAVAILABLE)
    shutil.copyfile(source, target)
    target.chmod(0o600)
    source.unlink()
    return int(made.size_bytes)


def take_in(client: StorexClient, place: Place, instance: str, source: Path) -> Snapshot:
    """Make a copy a snapshot of an instance, by its full name. Raises CallError, CommandError."""
    if not source.is_file():
        raise CommandError(f"There is no file {source}.", status=ExitStatus.USAGE)
    folder = _folder(place, instance, "imports")
    if not folder.is_dir():
        message = f"The folder of imports of {instance}'s shard is not on this machine."
        raise CommandError(message, "Go where the shard runs.", ExitStatus.UNAVAILABLE)
    copy = folder / f"{secrets.token_hex(8)}{source.suffix}"  # others may take a file of the same name in meanwhile
    try:
        shutil.copyfile(source, copy)
        request = ImportSnapshotRequest(name=instance, file_name=copy.name)
        return call(client, client.snapshots.ImportSnapshot, request).snapshot
    finally:
        copy.unlink(missing_ok=True)


def _folder(place: Place, name: str, kind: str) -> Path:
    region = parse_name(name, snapshots=True).region
    return place.state_dir / "shards" / region / "snapshots" / kind
