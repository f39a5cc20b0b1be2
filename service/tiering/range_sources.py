"""Where the bytes of a range come from: a cached file, or the object itself where it is a file."""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from typing import Protocol

from typing_extensions import override

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError
from everlog.model.clock import IdSource
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_store import ObjectStore
from service.model.disk import Disk
from service.tiering.chunk_cache import CachedRange, ChunkCache, RangeId
from service.tiering.cold_objects import ColdObject, ObjectRange
from service.tiering.open_files import OpenFiles
from service.tiering.single_flight import SingleFlight, Spawn
from service.tiering.stats import TierStats

FETCHES_MAX = 16
"""Ranges that are fetched at a time."""

VERIFIED_MAX = 65_536
"""Ranges of local objects that are known to be sound: 256 GiB at 4 MiB each."""

PIECE_BYTES = 1 << 20
"""Read at a time while a local range is verified."""

CACHE_SUFFIX = ".chunk"


class RangeSource(Protocol):
    """Makes ranges readable as parts of local files, verified."""

    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        """Return where a range is, if it is here."""
        ...

    async def fetch(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        """Return where a range is, once it is here.

        Raises:
            ObjectMissingError: The object is gone.
            CorruptObjectError: Its bytes are not what was stored, also at a second look.
            StoreUnavailableError: The store did not answer.
        """
        ...

    def begin(self, of: ColdObject, wanted: ObjectRange) -> bool:
        """Start to fetch a range that nobody waits for; False if it is here or on its way."""
        ...

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        """Forget a range whose file turned out to be missing."""
        ...


def _id(of: ColdObject, wanted: ObjectRange) -> RangeId:
    return RangeId(of.entry.uid, wanted.position, wanted.length)


class _Fetching:
    """What both sources share: a range is fetched once at a time, and few at a time."""

    def __init__(self, *, spawn: Spawn, stats: TierStats, fetches_max: int) -> None:
        self._flights: SingleFlight[RangeId, CachedRange] = SingleFlight(spawn)
        self._slots = asyncio.Semaphore(fetches_max)
        self._stats = stats

    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        raise NotImplementedError

    async def _obtain(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        raise NotImplementedError

    async def fetch(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        found = self.at_hand(of, wanted)
        if found is not None:
            return found
        return await self._flights.do(_id(of, wanted), lambda: self._admitted(of, wanted))

    def begin(self, of: ColdObject, wanted: ObjectRange) -> bool:
        range_id = _id(of, wanted)
        if range_id in self._flights or self.at_hand(of, wanted) is not None:
            return False
        _ = self._flights.begin(range_id, lambda: self._admitted(of, wanted))
        return True

    async def _admitted(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        async with self._slots:
            found = await self._obtain(of, wanted)
        self._stats.range_bytes += wanted.length
        return found


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
        spawn: Spawn,
        stats: TierStats,
        fetches_max: int = FETCHES_MAX,
    ) -> None:
        super().__init__(spawn=spawn, stats=stats, fetches_max=fetches_max)
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

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        gone = self.cache.drop(_id(of, wanted))
        if gone is not None:
            self._files.forget(gone.path)

    @override
    async def _obtain(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        path = await self._download(of, wanted) or await self._download(of, wanted)
        if path is None:
            reason = f"bytes {wanted.position} + {wanted.length} do not match their checksum"
            raise CorruptObjectError(of.key, reason)
        cached = CachedRange(path, 0)
        await self._remove(self.cache.add(_id(of, wanted), cached))
        return cached

    async def _download(self, of: ColdObject, wanted: ObjectRange) -> str | None:
        """Download a range into a file; None when its bytes are wrong."""
        self._number += 1
        name = f"{of.entry.uid.hex()}-{wanted.position}-{wanted.length}"
        path = f"{self._directory}/{name}-{self._incarnation}-{self._number}{CACHE_SUFFIX}"
        found = await self._store.read_into_file(of.key, wanted.position, wanted.length, path)
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
        spawn: Spawn,
        stats: TierStats,
        fetches_max: int = FETCHES_MAX,
    ) -> None:
        super().__init__(spawn=spawn, stats=stats, fetches_max=fetches_max)
        self._store = store
        self._files = files
        self._verified: OrderedDict[RangeId, CachedRange] = OrderedDict()

    @override
    def at_hand(self, of: ColdObject, wanted: ObjectRange) -> CachedRange | None:
        return self._verified.get(_id(of, wanted))

    def drop(self, of: ColdObject, wanted: ObjectRange) -> None:
        gone = self._verified.pop(_id(of, wanted), None)
        if gone is not None:
            self._files.forget(gone.path)

    @override
    async def _obtain(self, of: ColdObject, wanted: ObjectRange) -> CachedRange:
        path = self._store.local_path(of.key)
        assert path is not None, "the store's objects are local files"
        await self._verify(path, of, wanted)
        found = self._verified[_id(of, wanted)] = CachedRange(path, wanted.position)
        if len(self._verified) > VERIFIED_MAX:
            self._verified.popitem(last=False)
        return found

    async def _verify(self, path: str, of: ColdObject, wanted: ObjectRange) -> None:
        """Read a range once, which also brings it into the page cache."""
        checksum, at, end = 0, wanted.position, wanted.position + wanted.length
        while at < end:
            try:
                piece = await self._files.read(path, at, min(PIECE_BYTES, end - at))
            except FileNotFoundError as error:
                raise ObjectMissingError(of.key) from error
            if not piece:
                raise CorruptObjectError(of.key, f"it ends at {at}")
            checksum = crc32c(piece, checksum)
            at += len(piece)
        if checksum != of.crc32c(wanted):
            reason = f"bytes {wanted.position} + {wanted.length} do not match their checksum"
            raise CorruptObjectError(of.key, reason)


def _unlink_all(disk: Disk, paths: list[str]) -> None:
    for path in paths:
        try:
            disk.unlink(path)
        except FileNotFoundError:
            continue


def empty_directory(disk: Disk, directory: str) -> None:
    """Make the cache's directory and remove what earlier processes left in it. Blocks."""
    disk.make_dirs(directory)
    for name, _ in disk.list_dir(directory):
        if CACHE_SUFFIX in name:
            disk.unlink(f"{directory}/{name}")
