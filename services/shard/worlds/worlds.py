"""The snapshots of one region: made, kept within bounds, opened for replay, and destroyed for good."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from libs.config import SnapshotConfig
from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName
from services.shard.worlds.capture import Subject, capture
from services.shard.worlds.encoding import FORMAT, decode, encode, relabelled
from services.shard.worlds.keys import KEY_BYTES, KeyService
from services.shard.worlds.replay import Room
from services.shard.worlds.sealing import Header, Trigger, digest_of, plain_file, seal, unseal
from services.shard.worlds.store import SEALED, Kept, WorldStore
from services.shard.worlds.world import World
from storex.snapshot.v1 import snapshot_pb2

log = logging.getLogger(__name__)

MOST_BYTES = 128 * 1024 * 1024
"""The largest snapshot that is kept."""
OPEN_ROOMS = 8
OPEN_BYTES = 64 * 1024 * 1024
"""How many worlds stay open between calls, and how large they may be together, at rest."""
TIDY_SECONDS = 60.0
CAPTURES_AT_ONCE = 2
DAY = 86_400.0
BY_ITSELF = frozenset({snapshot_pb2.SNAPSHOT_TRIGGER_FINDING, snapshot_pb2.SNAPSHOT_TRIGGER_INVESTIGATION})
"""Why snapshots are made that nobody asked for. They fill half of what may be kept at most."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the region's configuration says: what is done by itself, how long it is kept, and whether it is a lab."""

    snapshots: SnapshotConfig
    lab: bool = False


class Worlds:
    """Everything that is done with snapshots. Used on the event loop; disks and ciphers are used in threads."""

    def __init__(self, store: WorldStore, keys: KeyService, settings: Callable[[], Settings], clock: Clock) -> None:
        """`settings` are asked each time: they change without a restart."""
        self._store = store
        self._keys = keys
        self._settings = settings
        self._clock = clock
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="storex-worlds")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="storex-replay")
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._opening: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(CAPTURES_AT_ONCE)

    @property
    def settings(self) -> Settings:
        """What is in force now."""
        return self._settings()

    async def close(self) -> None:
        """Let go of the threads, when what they do is done."""
        self._rooms.clear()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._readers.shutdown)

    async def run(self) -> None:
        """Keep within the bounds of age, count and size, and wrap keys anew after a rotation, until cancelled."""
        while True:
            try:
                await self._in_thread(self.tidy)
            except StorexError as error:
                log.error("snapshots cannot be tidied", extra={"fields": {"reason": error.reason.name}})
            await asyncio.sleep(TIDY_SECONDS)

    async def create(self, subject: Subject, others: Sequence[Subject], trigger: Trigger) -> Kept:
        """Record an instance. Raises StorexError STORE_FULL, STORE_UNAVAILABLE, SNAPSHOT_TOO_LARGE."""
        async with self._places:
            world = await capture(subject, others)
            return await self._in_thread(lambda: self._keep(subject.view.name, world, trigger))

    def kept(self) -> list[Kept]:
        """Every snapshot, newest first."""
        return self._store.kept()

    def get(self, name: ResourceName) -> Kept:
        """The snapshot of that name. Raises StorexError RESOURCE_NOT_FOUND, SNAPSHOT_KEY_DESTROYED."""
        kept = self._store.get(name.snapshot or "")
        if kept is None or kept.header.name != str(name):
            was_here = self._store.was_destroyed(str(name))
            raise StorexError(Reason.SNAPSHOT_KEY_DESTROYED if was_here else Reason.RESOURCE_NOT_FOUND)
        return kept

    async def delete(self, name: ResourceName) -> None:
        """Destroy a snapshot, and those that were taken in from its copies. Raises what `get` raises."""
        kept = self.get(name)
        await self._in_thread(lambda: self._destroy(kept))

    async def open(self, name: ResourceName) -> Room:
        """The world of a snapshot, for replay.

        Raises StorexError RESOURCE_NOT_FOUND, SNAPSHOT_KEY_DESTROYED, SNAPSHOT_DAMAGED.
        """
        kept = self.get(name)
        async with self._opening.setdefault(kept.snapshot_id, asyncio.Lock()):
            room = self._rooms.get(kept.snapshot_id)
            if room is None:
                world = await self._in_thread(lambda: decode(self._content(kept)))
                self.get(name)  # destroyed meanwhile: it must not come back by being opened
                room = Room(name, relabelled(world, str(name.instance_name)), kept.size, self._readers)
                self._rooms[kept.snapshot_id] = room
            self._rooms.move_to_end(kept.snapshot_id)
        self._opening.pop(kept.snapshot_id, None)
        while len(self._rooms) > 1 and (
            len(self._rooms) > OPEN_ROOMS or sum(one.size for one in self._rooms.values()) > OPEN_BYTES
        ):
            self._rooms.popitem(last=False)
        return room

    async def export(self, name: ResourceName, *, plain: bool) -> tuple[str, int]:
        """Write a copy to the folder of exports: its file name and size. Sealed unless `plain`, which only a lab may.

        Raises StorexError SNAPSHOT_NOT_ENABLED and what `open` raises.
        """
        if plain and not self.settings.lab:
            raise StorexError(Reason.SNAPSHOT_NOT_ENABLED, setting="lab: true")
        kept = self.get(name)
        return await self._in_thread(lambda: self._export(kept, plain=plain))

    async def take_in(self, instance: ResourceName, file_name: str) -> Kept:
        """Make a copy in the folder of imports a snapshot of an instance.

        Raises StorexError REQUEST_INVALID, SNAPSHOT_NOT_ENABLED, SNAPSHOT_DAMAGED, SNAPSHOT_KEY_DESTROYED and what
        `create` raises.
        """
        return await self._in_thread(lambda: self._take_in(instance, file_name))

    def tidy(self) -> None:
        """Destroy what is beyond the bounds, the oldest; wrap anew what an older key of the region wraps."""
        while beyond := self._beyond():
            copied = [one for one in beyond if self._copies(one)]
            for one in copied[:1] or beyond:  # copies go with what they are of, and that makes room for others
                self._destroy(one)
        for kept in self._store.kept():
            if kept.key_id != self._keys.current:
                self._wrap_anew(kept)

    def _beyond(self) -> list[Kept]:
        """What the bounds leave no room for, newest first."""
        bounds, now = self.settings.snapshots, self._clock.now()
        count, size, unasked, full = 0, 0, 0, False  # of what stays
        beyond = []
        for kept in sorted(self._store.kept(), key=lambda kept: -kept.header.kept_since):
            by_itself = kept.header.trigger in BY_ITSELF
            too_old = now - kept.header.kept_since > bounds.keep_days * DAY
            too_many = count >= bounds.keep_count or (by_itself and unasked >= max(1, bounds.keep_count // 2))
            full = full or (not too_many and size + kept.size > bounds.keep_bytes)
            if too_old or too_many or full:
                beyond.append(kept)
            else:
                count, size, unasked = count + 1, size + kept.size, unasked + by_itself
        return beyond

    def _destroy(self, kept: Kept) -> None:
        for one in (kept, *self._copies(kept)):
            self._store.destroy(one)
            self._rooms.pop(one.snapshot_id, None)

    def _copies(self, kept: Kept) -> list[Kept]:
        return [one for one in self._store.kept() if one.header.origin == kept.header.name]

    def expires_at(self, kept: Kept) -> float:
        """When a snapshot will be destroyed by its age, in seconds since the epoch."""
        return kept.header.kept_since + self.settings.snapshots.keep_days * DAY

    def _wrap_anew(self, kept: Kept) -> None:
        context = _context(kept.header)
        try:
            data_key = self._keys.unwrap(self._store.key(kept.snapshot_id), context)
        except StorexError:
            return  # the region's key is gone: it stays closed
        self._store.put_key(kept.snapshot_id, self._keys.wrap(data_key, context))

    def _keep(self, instance: ResourceName, world: World, trigger: Trigger, origin: Header | None = None) -> Kept:
        content = encode(world)
        if len(content) > MOST_BYTES:
            raise StorexError(Reason.SNAPSHOT_TOO_LARGE, limit_bytes=str(MOST_BYTES))
        header = self._header(instance, world, trigger, content)
        if origin is not None:
            taken_in_at = self._clock.now() if origin.plain else origin.taken_in_at
            source = "" if origin.plain else origin.origin or origin.name
            header = replace(header, captured_at=origin.captured_at, taken_in_at=taken_in_at, origin=source)
        data_key = secrets.token_bytes(KEY_BYTES)
        key = self._keys.wrap(data_key, _context(header))
        return self._store.add(header, seal(header, content, data_key), key)

    def _header(self, instance: ResourceName, world: World, trigger: Trigger, content: bytes) -> Header:
        subject = world.subject
        at = subject.moment.now()
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
        name = replace(instance, snapshot=f"{stamp}-{secrets.token_hex(4)}")
        samples = () if subject.excerpt is None else subject.excerpt.tables["samples"]
        oldest = min((row[1] for row in samples), default=None)
        return Header(
            name=str(name),
            captured_at=at,
            took_seconds=world.took_seconds,
            trigger=trigger or snapshot_pb2.SNAPSHOT_TRIGGER_DEMAND,
            engine=subject.capabilities.engine if subject.capabilities else "",
            version=subject.capabilities.version if subject.capabilities else "",
            instances=(str(instance), *(one.name for one in world.instances[1:])),
            limits=tuple(
                {"source": one.source, "code": one.code, "message": one.message, "remedy": one.remedy}
                for one in world.limits()
            ),
            history_start=None if oldest is None else oldest / 1000,
            sha256=digest_of(content),
            format_version=FORMAT,
        )

    def _content(self, kept: Kept) -> bytes:
        sealed = self._store.read(kept.snapshot_id)
        data_key = self._keys.unwrap(self._store.key(kept.snapshot_id), _context(sealed.header))
        return unseal(sealed, data_key)

    def _export(self, kept: Kept, *, plain: bool) -> tuple[str, int]:
        sealed = self._store.read(kept.snapshot_id)
        file = sealed.header_bytes + sealed.body
        if plain:
            file = plain_file(replace(kept.header, plain=True), self._content(kept))
        file_name = f"{kept.snapshot_id}{'.plain' if plain else ''}{SEALED}"
        self._store.put_export(file_name, file)
        return file_name, len(file)

    def _take_in(self, instance: ResourceName, file_name: str) -> Kept:
        sealed = self._store.get_import(file_name, MOST_BYTES)
        if sealed.header.plain and not self.settings.lab:
            raise StorexError(Reason.SNAPSHOT_NOT_ENABLED, setting="lab: true")
        data_key = None
        if not sealed.header.plain:
            if sealed.header.resource_name.instance_name != instance:
                # Who may make snapshots of one instance must not read those of another by that.
                raise StorexError(Reason.REQUEST_INVALID, field="name", problem="the copy is of another instance")
            wrapped = self._store.key(sealed.header.resource_name.snapshot or "")
            data_key = self._keys.unwrap(wrapped, _context(sealed.header))
        world = relabelled(decode(unseal(sealed, data_key)), str(instance))
        trigger = snapshot_pb2.SNAPSHOT_TRIGGER_IMPORT
        return self._keep(instance, world, trigger, sealed.header)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _context(header: Header) -> bytes:
    """What a data key is bound to: the snapshot that it was made for."""
    return header.name.encode()
