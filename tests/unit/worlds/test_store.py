"""Snapshots at rest: whole or not there, sealed under a key that can be destroyed, and bound to their own header."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.worlds.keys import FileKeys, KeyFileError, WrappedKey, new_key_line
from services.shard.worlds.sealing import Header, digest_of, parts_of, plain_file, seal, unseal
from services.shard.worlds.store import WorldStore
from storex.snapshot.v1 import snapshot_pb2

ROOT = Path(__file__).resolve().parents[3]
NAME = "regions/eu-west-1/instances/orders-1/snapshots/20261122-120000-0a0b0c0d"
NAMES = (NAME, NAME.replace("orders-1", "orders-2")[:-1] + "e")
CONTENT = b"what was seen" * 1000
KEY = bytes(range(32))


def header(name: str = NAME, content: bytes = CONTENT) -> Header:
    return Header(
        name=name,
        captured_at=1_700_000_000.0,
        took_seconds=0.7,
        trigger=snapshot_pb2.SNAPSHOT_TRIGGER_DEMAND,
        engine="mariadb",
        version="10.11",
        instances=("regions/eu-west-1/instances/orders-1",),
        limits=(),
        history_start=None,
        sha256=digest_of(content),
        format_version=1,
    )


def reason_of(error: pytest.ExceptionInfo[StorexError]) -> Reason:
    return error.value.reason


def test_what_was_sealed_opens_with_its_key_and_no_other() -> None:
    file = seal(header(), CONTENT, KEY)
    assert CONTENT[:13] not in file
    assert unseal(parts_of(file), KEY) == CONTENT
    with pytest.raises(StorexError) as caught:
        unseal(parts_of(file), bytes(32))
    assert reason_of(caught) is Reason.SNAPSHOT_DAMAGED


@pytest.mark.parametrize("place", [0, 9, 40, 200, -1])
def test_a_changed_byte_anywhere_is_seen(place: int) -> None:
    file = bytearray(seal(header(), CONTENT, KEY))
    file[place] ^= 1
    with pytest.raises(StorexError) as caught:
        unseal(parts_of(bytes(file)), KEY)
    assert reason_of(caught) is Reason.SNAPSHOT_DAMAGED


def test_a_plain_file_is_checked_by_its_hash() -> None:
    file = plain_file(replace(header(), plain=True), CONTENT)
    assert unseal(parts_of(file), None) == CONTENT
    with pytest.raises(StorexError):
        unseal(parts_of(file[:-1]), None)


@pytest.mark.parametrize("length", [0, 7, 11, 30, 400])
def test_a_file_that_was_cut_off_is_damaged_and_no_crash(length: int) -> None:
    with pytest.raises(StorexError) as caught:
        unseal(parts_of(seal(header(), CONTENT, KEY)[:length]), KEY)
    assert reason_of(caught) is Reason.SNAPSHOT_DAMAGED


def test_a_region_key_unwraps_what_it_wrapped_for_that_and_nothing_else(tmp_path: Path) -> None:
    keys = FileKeys(tmp_path / "keys")
    wrapped = keys.wrap(KEY, b"one")
    assert KEY not in wrapped.content
    assert keys.unwrap(wrapped, b"one") == KEY
    for other, context in ((wrapped, b"two"), (WrappedKey("key_gone", wrapped.content), b"one")):
        with pytest.raises(StorexError) as caught:
            keys.unwrap(other, context)
        assert reason_of(caught) is Reason.SNAPSHOT_KEY_DESTROYED


def test_a_key_file_is_its_owners_and_older_keys_still_unwrap(tmp_path: Path) -> None:
    path = tmp_path / "region" / "keys"
    wrapped = FileKeys(path).wrap(KEY, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(new_key_line() + path.read_text())
    rotated = FileKeys(path)
    assert rotated.current != wrapped.key_id
    assert rotated.unwrap(wrapped, b"one") == KEY


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "key_1 zz\n", "key_1 00ff\n", "key_1\n", f"a {'0' * 64}\na {'1' * 64}\n"]
)
def test_a_key_file_that_cannot_be_used_is_told_without_its_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(KeyFileError) as caught:
        FileKeys(path)
    assert "0000" not in str(caught.value)


def test_what_is_kept_is_found_again_and_what_is_destroyed_is_not(tmp_path: Path) -> None:
    keys, store = FileKeys(tmp_path / "keys"), WorldStore(tmp_path / "worlds")
    kept = store.add(header(), seal(header(), CONTENT, KEY), keys.wrap(KEY, b"x"))
    again = WorldStore(tmp_path / "worlds")
    assert again.kept() == [kept]
    assert unseal(again.read(kept.snapshot_id), keys.unwrap(again.key(kept.snapshot_id), b"x")) == CONTENT
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "worlds").glob("*.*")} == {0o600}
    again.destroy(kept)
    assert again.kept() == [] == WorldStore(tmp_path / "worlds").kept()
    with pytest.raises(StorexError) as caught:
        again.key(kept.snapshot_id)
    assert reason_of(caught) is Reason.SNAPSHOT_KEY_DESTROYED


def test_a_destroyed_keys_blocks_are_overwritten_before_they_are_given_back(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "worlds")
    kept = store.add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"wrapped" * 9))
    path = tmp_path / "worlds" / f"{kept.snapshot_id}.key"
    before = path.read_bytes()
    with path.open("rb") as held:  # what somebody who held the blocks would read
        store.destroy(kept)
        after = held.read()
    assert len(after) == len(before)
    assert after != before
    assert b"key_1" not in after


def test_what_was_destroyed_is_known_for_good_and_another_folder_proves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "worlds"
    store = WorldStore(folder)
    one, other = (
        store.add(header(name), seal(header(name), CONTENT, KEY), WrappedKey("key_1", b"w")) for name in NAMES
    )
    assert not store.was_destroyed(one.header.name)
    store.destroy(one)
    with (folder / "destroyed").open("a") as file:
        file.write("regions/eu-west-1/inst")  # a crash while the next one was noted
    WorldStore(folder).destroy(other)
    assert [WorldStore(folder).was_destroyed(name) for name in NAMES] == [True, True]
    assert not WorldStore(tmp_path / "empty").was_destroyed(one.header.name)


def test_one_that_a_crash_left_without_its_key_was_destroyed(tmp_path: Path) -> None:
    folder = tmp_path / "worlds"
    kept = WorldStore(folder).add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"w"))
    (folder / f"{kept.snapshot_id}.key").unlink()
    assert WorldStore(folder).was_destroyed(kept.header.name)
    assert not (folder / f"{kept.snapshot_id}.world").exists()


def test_a_full_disk_destroys_all_the_same_and_it_is_noted_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = WorldStore(tmp_path / "worlds")
    kept = store.add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"w"))
    sealed, real = tmp_path / "worlds" / f"{kept.snapshot_id}.world", os.open

    def full(path: str | Path, *arguments: int) -> int:
        if Path(path).name == "destroyed" and sealed.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", full)
    store.destroy(kept)
    assert not sealed.exists()
    assert WorldStore(tmp_path / "worlds").was_destroyed(kept.header.name)


def test_another_wrapping_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    store = WorldStore(tmp_path / "worlds")
    kept = store.add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"first" * 9))
    with (tmp_path / "worlds" / f"{kept.snapshot_id}.key").open("rb") as held:
        store.put_key(kept.snapshot_id, WrappedKey("key_2", b"second" * 9))
        assert b"key_1" not in held.read()
    assert store.key(kept.snapshot_id).key_id == "key_2"
    assert [one.key_id for one in store.kept()] == ["key_2"]


def test_a_full_disk_fails_closed_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = WorldStore(tmp_path / "worlds")
    real = os.fsync

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size > len(CONTENT):  # the key still fits, the content does not
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorexError) as caught:
        store.add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"w"))
    assert reason_of(caught) is Reason.STORE_FULL
    assert store.kept() == []
    assert [path.name for path in (tmp_path / "worlds").iterdir() if path.is_file()] == []


@pytest.mark.parametrize("file_name", ["../keys", "/etc/passwd", ".hidden", "absent.world", "", "link"])
def test_copies_are_taken_from_their_folder_and_nowhere_else(tmp_path: Path, file_name: str) -> None:
    store = WorldStore(tmp_path / "worlds")
    (tmp_path / "worlds" / "keys").write_bytes(seal(header(), CONTENT, KEY))
    (store.imports / ".hidden").write_bytes(seal(header(), CONTENT, KEY))
    (store.imports / "link").symlink_to(tmp_path / "worlds" / "keys")
    with pytest.raises(StorexError) as caught:
        store.get_import(file_name, 1 << 20)
    assert reason_of(caught) is Reason.REQUEST_INVALID


_WRITER = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "gen")!r}]
from pathlib import Path
from services.shard.worlds.keys import WrappedKey
from services.shard.worlds.store import WorldStore
from storex.snapshot.v1 import snapshot_pb2
from tests.unit.worlds.test_store import KEY, header
from services.shard.worlds.sealing import seal
store = WorldStore(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    name = f"regions/r/instances/i/snapshots/s{{number}}"
    content = bytes([number % 256]) * 3_000_000
    store.add(header(name, content), seal(header(name, content), content, KEY), WrappedKey("key_1", b"w"))
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0.02, 0.05, 0.11])
def test_a_kill_leaves_every_acknowledged_snapshot_whole_and_no_other(tmp_path: Path, after: float) -> None:
    folder = tmp_path / "worlds"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip()]
    time.sleep(after)
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    store = WorldStore(folder)
    found = {kept.snapshot_id for kept in store.kept()}
    assert {f"s{number}" for number in acknowledged} <= found
    for snapshot_id in found:
        assert unseal(store.read(snapshot_id), KEY)
        assert store.key(snapshot_id)
    assert not list(folder.glob("*.partial"))
    assert {path.stem for path in folder.glob("*.key")} == {path.stem for path in folder.glob("*.world")} == found


def test_what_a_crash_left_in_between_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "worlds"
    store = WorldStore(folder)
    kept = store.add(header(), seal(header(), CONTENT, KEY), WrappedKey("key_1", b"w"))
    (folder / "half.world.partial").write_bytes(b"STOREX")
    (folder / "alone.key").write_text(json.dumps({"key_id": "key_1", "key": ""}))
    (folder / "keyless.world").write_bytes(seal(header(NAME.rpartition("/")[0] + "/keyless"), CONTENT, KEY))
    assert WorldStore(folder).kept() == [kept]
    left = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert left == [f"{kept.snapshot_id}.key", f"{kept.snapshot_id}.world", "destroyed"]
