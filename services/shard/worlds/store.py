"""The snapshots of a region as files: for each a sealed one, and its wrapped key in another.

A snapshot exists once its sealed file stands under its final name, which is the last thing that happens when it is
made; it is gone once its key file is. What a crash leaves in between is cleared away when the store is opened. The
names of destroyed ones are kept: a folder that is empty, or the wrong one, is no proof that anything was destroyed.
Blocking: used in threads.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from libs.core.errors import Reason, StorexError
from services.shard.worlds.keys import WrappedKey
from services.shard.worlds.sealing import Header, Sealed, parts_of, read_header

SEALED, KEY, PARTIAL = ".world", ".key", ".partial"
DESTROYED = "destroyed"
"""The file with the names of what was destroyed, a line each."""
_FIRST_BYTES = 64 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that is kept: its header, its size at rest in bytes, and the id of the region's key it depends on."""

    header: Header
    size: int
    key_id: str

    @property
    def snapshot_id(self) -> str:
        """The last part of its name."""
        return self.header.resource_name.snapshot or ""


class WorldStore:
    """The files below a folder. Raises StorexError STORE_FULL or STORE_UNAVAILABLE where the disk fails."""

    def __init__(self, folder: Path) -> None:
        """Made for its owner alone where there is none."""
        self._folder = folder
        self._lock = threading.Lock()
        with _translated():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("exports", "imports"):
                (folder / name).mkdir(exist_ok=True, mode=0o700)
            self._destroyed = self._noted()
            self._kept = self._opened()

    @property
    def exports(self) -> Path:
        """Where copies are put."""
        return self._folder / "exports"

    @property
    def imports(self) -> Path:
        """Where copies are taken from."""
        return self._folder / "imports"

    def kept(self) -> list[Kept]:
        """Every snapshot, newest first."""
        with self._lock:
            found = list(self._kept.values())
        return sorted(found, key=lambda one: (-one.header.captured_at, one.snapshot_id))

    def get(self, snapshot_id: str) -> Kept | None:
        """The snapshot of that id."""
        return self._kept.get(snapshot_id)

    def was_destroyed(self, name: str) -> bool:
        """Whether the snapshot of that full name was here, and its key was destroyed."""
        return name in self._destroyed

    def add(self, header: Header, file: bytes, key: WrappedKey) -> Kept:
        """Keep a sealed file and its key for good: when this has returned, not even a power cut undoes it."""
        kept = Kept(header, len(file), key.key_id)
        self.put_key(kept.snapshot_id, key)
        try:
            self._put(self._folder / f"{kept.snapshot_id}{SEALED}", file)
        except StorexError:
            self._shred(self._folder / f"{kept.snapshot_id}{KEY}")
            raise
        with self._lock:
            self._kept[kept.snapshot_id] = kept
        return kept

    def put_key(self, snapshot_id: str, key: WrappedKey) -> None:
        """Keep a wrapped key in the place of the one before."""
        content = {"key_id": key.key_id, "key": base64.b64encode(key.content).decode()}
        path = self._folder / f"{snapshot_id}{KEY}"
        with _translated(), contextlib.ExitStack() as stack:
            old = stack.enter_context(path.open("r+b")) if path.exists() else None
            self._put(path, json.dumps(content).encode())
            if old is not None:  # its blocks are nobody's now, and would last
                _overwrite(old)
        known = self._kept.get(snapshot_id)
        if known is not None:
            with self._lock:
                self._kept[snapshot_id] = Kept(known.header, known.size, key.key_id)

    def key(self, snapshot_id: str) -> WrappedKey:
        """The wrapped key of a snapshot. Raises StorexError SNAPSHOT_KEY_DESTROYED where there is none any more."""
        try:
            found = json.loads((self._folder / f"{snapshot_id}{KEY}").read_bytes())
            return WrappedKey(found["key_id"], base64.b64decode(found["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise StorexError(Reason.SNAPSHOT_KEY_DESTROYED) from None

    def read(self, snapshot_id: str) -> Sealed:
        """The sealed file of a snapshot. Raises StorexError SNAPSHOT_DAMAGED, RESOURCE_NOT_FOUND."""
        try:
            return parts_of((self._folder / f"{snapshot_id}{SEALED}").read_bytes())
        except FileNotFoundError:
            raise StorexError(Reason.RESOURCE_NOT_FOUND) from None
        except OSError as error:
            raise StorexError(Reason.STORE_UNAVAILABLE, detail=type(error).__name__) from None

    def destroy(self, kept: Kept) -> None:
        """Destroy the key first, note that, then remove the rest: however this ends, it cannot be read."""
        name = kept.header.name
        with _translated():
            self._shred(self._folder / f"{kept.snapshot_id}{KEY}")
            with contextlib.suppress(OSError):  # a full disk has room once the rest is removed
                self._note(name)
            (self._folder / f"{kept.snapshot_id}{SEALED}").unlink(missing_ok=True)
            _sync_folder(self._folder)
        with self._lock:
            self._kept.pop(kept.snapshot_id, None)
        with _translated():
            self._note(name)

    def put_export(self, file_name: str, content: bytes) -> None:
        """Write a copy into the folder of exports."""
        self._put(self.exports / file_name, content)

    def get_import(self, file_name: str, most_bytes: int) -> Sealed:
        """A copy in the folder of imports. Raises StorexError REQUEST_INVALID, SNAPSHOT_DAMAGED, SNAPSHOT_TOO_LARGE."""
        path = self.imports / file_name
        if file_name != path.name or file_name.startswith(".") or path.is_symlink() or not path.is_file():
            problem = f"there is no file of that name in {self.imports.name}"
            raise StorexError(Reason.REQUEST_INVALID, field="file_name", problem=problem)
        if path.stat().st_size > most_bytes:
            raise StorexError(Reason.SNAPSHOT_TOO_LARGE, limit_bytes=str(most_bytes))
        with _translated():
            return parts_of(path.read_bytes())

    def _opened(self) -> dict[str, Kept]:
        for path in [*self._folder.glob(f"*{PARTIAL}"), *self.exports.glob(f"*{PARTIAL}")]:
            path.unlink(missing_ok=True)
        kept: dict[str, Kept] = {}
        for path in sorted(self._folder.glob(f"*{SEALED}")):
            with contextlib.suppress(StorexError):  # a damaged one is not listed; its files stay for whoever looks
                with path.open("rb") as file:
                    header, _ = read_header(file.read(_FIRST_BYTES))
                if header.resource_name.snapshot == path.stem:
                    kept[path.stem] = Kept(header, path.stat().st_size, self.key(path.stem).key_id)
        for path in self._folder.glob(f"*{KEY}"):
            if not path.with_suffix(SEALED).exists():
                self._shred(path)  # a crash between the key and what it is for
        for path in self._folder.glob(f"*{SEALED}"):
            if not path.with_suffix(KEY).exists():
                with contextlib.suppress(StorexError), path.open("rb") as file:
                    self._note(read_header(file.read(_FIRST_BYTES))[0].name)
                path.unlink()  # a crash while it was destroyed
        return kept

    def _noted(self) -> set[str]:
        try:
            return set((self._folder / DESTROYED).read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return set()

    def _note(self, name: str) -> None:
        """Note a destroyed snapshot, for good; one that is noted already is not noted again."""
        if name in self._destroyed:
            return
        descriptor = os.open(self._folder / DESTROYED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"\n{name}\n".encode())  # whatever a crash left of the line before ends here
            file.flush()
            os.fsync(file.fileno())
        self._destroyed.add(name)

    def _put(self, path: Path, content: bytes) -> None:
        partial = path.with_name(path.name + PARTIAL)
        with _translated():
            try:
                descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)

    def _shred(self, path: Path) -> None:
        """Overwrite before removing: a file system may keep the blocks of a removed file for long."""
        try:
            with path.open("r+b") as file:
                _overwrite(file)
        except FileNotFoundError:
            return
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _overwrite(file: BinaryIO) -> None:
    file.write(os.urandom(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = Reason.STORE_FULL if error.errno in _NO_ROOM else Reason.STORE_UNAVAILABLE
        raise StorexError(reason, detail=f"{type(error).__name__}: {error.strerror}") from error
