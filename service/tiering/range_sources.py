"""Where the bytes of a range come from: a cached file, or the object itself where it is a file."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore
from service.model.disk import Disk, File
from service.tiering.chunk_cache import CachedRange, ChunkCache, RangeId
from service.tiering.cold_objects import ColdObject, ObjectRange
from service.tiering.fetch_queue import FetchQueue
from service.tiering.object_verification import Fault
from service.tiering.open_files import OpenFiles
from service.tiering.read_damage import ReadDamage
from service.tiering.scan_pace import ScanPace
from service.tiering.single_flight import SingleFlight, Spawn
from service.tiering.stats import TierStats

VERIFIED_MAX = 65_536
"""Ranges of local objects that are known to be sound: 256 GiB at 4 MiB each."""

PIECE_BYTES = 256 << 10
"""Read at a time while a local range is verified: what stays in a processor's own cache."""

CACHE_SUFFIX = ".chunk"


class RangeSource(Protocol):
    """Makes ranges readable as parts of local files, verified."""

    @property
    def is_held(self) -> bool:
        """Whether scans are held back: what they fetch had better be small then."""
        ...

    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        """Return where a range is, if it is here."""
        ...

    def is_coming(self, of: ColdObject, wanted: ObjectRange) -> bool:
        """Whether a range is on its way, or waits for its turn."""
        ...

    async def fetch(
        self, of: ColdObject, wanted: ObjectRange, *, lane: Hashable, keep: bool
    ) -> CachedRange:
        """Return where a range is, once it is here.

        Args:
            of: Where the range is from.
            wanted: The range.
            lane: For whom; lanes take turns.
            keep: Whether it was sought out, so that it should stay.

        Raises:
            ObjectMissingError: The object is gone.
            CorruptObjectError: Its bytes are not what was stored, also at a second look.
            StoreUnavailableError: The store did not answer.
        """
        ...

    def begin(self, of: ColdObject, wanted: ObjectRange, *, lane: Hashable) -> bool:
        """Have a range fetched that nobody waits for; False if it is here or on its way."""
        ...

    def visit(self, of: ColdObject, wanted: ObjectRange) -> None:
        """Note that another reader has come to a range."""
        ...

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        """Forget a range whose file turned out to be missing."""
        ...


def _id(of: ColdObject, wanted: ObjectRange) -> RangeId:
    return RangeId(of.entry.uid, wanted.position, wanted.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOrder:
    """What decides when a fetch begins."""

    queue: FetchQueue[RangeId]
    pace: ScanPace
    clock: Clock


class _Fetching:
    """What both sources share: a range is fetched once at a time, and when it is its turn."""

    def __init__(
        self, *, order: FetchOrder, spawn: Spawn, stats: TierStats, damage: ReadDamage
    ) -> None:
        self._queue = order.queue
        self._pace = order.pace
        self._clock = order.clock
        self._timer: asyncio.TimerHandle | None = None
        self._turns: dict[RangeId, asyncio.Event] = {}
        self._flights: SingleFlight[RangeId, CachedRange] = SingleFlight(spawn)
        self._stats = stats
        self._damage = damage

    @property
    def is_held(self) -> bool:
        return self._pace.held_to(self._clock.monotonic()) is not None

    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        raise NotImplementedError

    async def _obtain(self, of: ColdObject, wanted: ObjectRange, *, keep: bool) -> CachedRange:
        raise NotImplementedError

    def is_coming(self, of: ColdObject, wanted: ObjectRange) -> bool:
        return _id(of, wanted) in self._flights

    async def fetch(
        self, of: ColdObject, wanted: ObjectRange, *, lane: Hashable, keep: bool
    ) -> CachedRange:
        found = self.at_hand(of, wanted)
        if found is not None:
            return found
        range_id = _id(of, wanted)
        if range_id in self._flights:
            self._queue.urge(range_id)
            self._start()
        else:
            self._line_up(range_id, lane, urgent=True, jump=keep)
        return await self._flights.do(range_id, lambda: self._in_turn(of, wanted, keep=keep))

    def begin(self, of: ColdObject, wanted: ObjectRange, *, lane: Hashable) -> bool:
        range_id = _id(of, wanted)
        if range_id in self._flights or self.at_hand(of, wanted) is not None:
            return False
        self._line_up(range_id, lane, urgent=False)
        _ = self._flights.begin(range_id, lambda: self._in_turn(of, wanted, keep=False))
        return True

    def _line_up(
        self, range_id: RangeId, lane: Hashable, *, urgent: bool, jump: bool = False
    ) -> None:
        self._turns[range_id] = asyncio.Event()
        self._queue.add(range_id, lane=lane, length=range_id.length, urgent=urgent, jump=jump)
        self._start()
        self._stats.fetch_waits += not self._turns[range_id].is_set()

    async def _in_turn(self, of: ColdObject, wanted: ObjectRange, *, keep: bool) -> CachedRange:
        range_id = _id(of, wanted)
        try:
            await self._turns[range_id].wait()
            with self._damage.reading(
                of.key,
                fault=Fault.DAMAGED,
                offsets=of.entry.offsets,
                parts=range(wanted.first_chunk, wanted.first_chunk + wanted.chunks),
            ):
                found = await self._obtain(of, wanted, keep=keep)
        finally:
            del self._turns[range_id]
            self._queue.end(range_id)
            self._start()
        self._stats.range_bytes += wanted.length
        return found

    def _start(self) -> None:
        for range_id in self._queue.start(self._may_scan):
            self._turns[range_id].set()

    def _may_scan(self, length: int) -> bool:
        delay = self._pace.take(length, now=self._clock.monotonic())
        if delay and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._start_again)
        return not delay

    def _start_again(self) -> None:
        self._timer = None
        self._start()


class CachedRanges(_Fetching):
    """Ranges of objects elsewhere, downloaded into files by the store.

    Args:
        directory: For these files alone; it exists.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        directory: str,
        bytes_max: int,
        disk: Disk,
        files: OpenFiles,
        executor: Executor | None,
        ids: IdSource,
        order: FetchOrder,
        spawn: Spawn,
        stats: TierStats,
        damage: ReadDamage,
    ) -> None:
        super().__init__(order=order, spawn=spawn, stats=stats, damage=damage)
        self._store = store
        self._directory = directory
        self._disk = disk
        self._files = files
        self._executor = executor
        self._incarnation = ids.uuid()[:6].hex()
        self._number = 0
        self.cache = ChunkCache(bytes_max=bytes_max)

    @override
    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        return self.cache.get(_id(of, wanted))

    def visit(self, of: ColdObject, wanted: ObjectRange) -> None:
        self.cache.visit(_id(of, wanted))

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        gone = self.cache.drop(_id(of, wanted))
        if gone is not None:
            self._files.forget(gone.path)

    @override
    async def _obtain(self, of: ColdObject, wanted: ObjectRange, *, keep: bool) -> CachedRange:
        path = await self._download(of, wanted) or await self._download(of, wanted)
        if path is None:
            reason = f"bytes {wanted.position} + {wanted.length} do not match their checksum"
            raise CorruptObjectError(of.key, reason)
        cached = CachedRange(path, 0)
        await self._remove(self.cache.add(_id(of, wanted), cached, keep=keep))
        self._stats.prefetch_unread = self.cache.unread
        return cached

    async def _download(self, of: ColdObject, wanted: ObjectRange) -> str | None:
        """Download a range into a file; None when its bytes are wrong."""
        self._number += 1
        name = f"{of.entry.uid.hex()}-{wanted.position}-{wanted.length}"
        path = f"{self._directory}/{name}-{self._incarnation}-{self._number}{CACHE_SUFFIX}"
        try:
            found = await self._store.read_into_file(of.key, wanted.position, wanted.length, path)
        except EverlogError:
            # A transfer process may have ended between the last byte and its answer.
            await self._remove([CachedRange(path, 0)])
            raise
        if found == of.crc32c(wanted):
            return path
        await self._remove([CachedRange(path, 0)])
        return None

    async def _remove(self, gone: list[CachedRange]) -> None:
        for each in gone:
            self._files.forget(each.path)
        if gone:
            await asyncio.get_running_loop().run_in_executor(
                self._executor, _unlink_all, self._disk, [each.path for each in gone]
            )


class LocalRanges(_Fetching):
    """Ranges of objects that are local files: read in place, once their bytes are verified."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        files: OpenFiles,
        order: FetchOrder,
        spawn: Spawn,
        stats: TierStats,
        damage: ReadDamage,
    ) -> None:
        super().__init__(order=order, spawn=spawn, stats=stats, damage=damage)
        self._store = store
        self._files = files
        self._verified: OrderedDict[RangeId, CachedRange] = OrderedDict()

    @override
    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        return self._verified.get(_id(of, wanted))

    def visit(self, of: ColdObject, wanted: ObjectRange) -> None:
        """Do nothing: what is read in place takes no room."""

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        gone = self._verified.pop(_id(of, wanted), None)
        if gone is not None:
            self._files.forget(gone.path)

    @override
    async def _obtain(self, of: ColdObject, wanted: ObjectRange, *, keep: bool) -> CachedRange:
        path = self._store.local_path(of.key)
        assert path is not None, "the store's objects are local files"
        await self._verify(path, of, wanted)
        found = self._verified[_id(of, wanted)] = CachedRange(path, wanted.position)
        if len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return found

    async def _verify(self, path: str, of: ColdObject, wanted: ObjectRange) -> None:
        """Read a range once, which also brings it into the page cache."""
        try:
            checksum = await self._files.in_thread(
                path, lambda file: _checksum(file, wanted.position, wanted.length)
            )
        except FileNotFoundError as error:
            raise ObjectMissingError(of.key) from error
        if checksum is None:
            raise CorruptObjectError(of.key, "it ends too early")
        if checksum != of.crc32c(wanted):
            reason = f"bytes {wanted.position} + {wanted.length} do not match their checksum"
            raise CorruptObjectError(of.key, reason)


def _checksum(file: File, position: int, length: int) -> int | None:
    """Return the checksum of a part of a file; None if the file ends before. Blocks."""
    checksum, end = 0, position + length
    while position < end:
        piece = file.read_at(position, min(PIECE_BYTES, end - position))
        if not piece:
            return None
        checksum = crc32c(piece, checksum)
        position += len(piece)
    return checksum


def _unlink_all(disk: Disk, paths: list[str]) -> None:
    for path in paths:
        try:
            disk.unlink(path)
        except FileNotFoundError:
            continue
