"""Where a record of the archive lies: in which object, and in which chunk of it."""

from dataclasses import dataclass
from functools import partial

from everlog.format.entries import Entry
from everlog.format.lookup import entry_at, entry_at_time
from everlog.format.object_keys import PartitionPath
from everlog.format.root import Root
from everlog.format.segment_index import Chunk, SegmentIndex
from everlog.format.segment_sections import SegmentMeta
from everlog.format.walk import drive_async
from everlog.model.offsets import Offset
from everlog.records.batch import walk
from everlog.records.reader import first_record_at
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.manifest_store import ManifestStore
from service.tiering.object_verification import read_index


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where an offset lies.

    Attributes:
        meta: What the object says of itself.
        chunk: None where the rest of the object holds no record.
        chunk_number: From 0.
    """

    offset: Offset
    entry: Entry
    meta: SegmentMeta
    chunk: Chunk | None
    chunk_number: int | None
    chunk_count: int


class Locator:
    """Finds records of one partition.

    Its methods raise `ObjectMissingError`, `CorruptObjectError` and `StoreUnavailableError`.
    """

    def __init__(self, store: ObjectStore, path: PartitionPath, root: Root) -> None:
        self._store = store
        self._root = root
        self._page = partial(ManifestStore(store).page, path)

    async def at_offset(self, offset: Offset) -> Location | None:
        """Find an offset; None if it is not in the archive."""
        entry = await drive_async(entry_at(self._root, offset), self._page)
        if entry is None:
            return None
        return _location(offset, entry, await self._index(entry))

    async def at_time(self, timestamp_ms: int) -> Location | None:
        """Find the first record at or after a time; None if the archive has none."""
        start = self._root.tiered_start
        while True:
            search = entry_at_time(self._root, timestamp_ms, start=start)
            entry = await drive_async(search, self._page)
            if entry is None:
                return None
            index = await self._index(entry)
            offset = await self._first_at(index, timestamp_ms)
            if offset is not None:
                return _location(offset, entry, index)
            start = entry.offsets.end  # its late records were deleted

    async def _index(self, entry: Entry) -> SegmentIndex:
        return await read_index(self._store, self._root.home_of(entry), entry)

    async def _first_at(self, index: SegmentIndex, timestamp_ms: int) -> Offset | None:
        seek = index.seek_time(timestamp_ms)
        number = index.chunk_count if seek is None else seek.chunk
        start = self._root.tiered_start
        for chunk in map(index.chunk, range(number, index.chunk_count)):
            if chunk.max_timestamp < timestamp_ms or chunk.offsets.end <= start:
                continue
            key = object_key(index.meta.key.text)
            data = await self._store.read(key, chunk.position, chunk.length)
            for at, header in walk(data):
                if header.max_timestamp < timestamp_ms or header.next_offset <= start:
                    continue
                batch = memoryview(data)[at : at + header.size]
                found = first_record_at(batch, header, timestamp_ms, start=start)
                if found is not None:
                    return Offset(found[1])
        return None


def _location(offset: Offset, entry: Entry, index: SegmentIndex) -> Location:
    number = index.chunk_of(offset)
    return Location(
        offset=offset,
        entry=entry,
        meta=index.meta,
        chunk=None if number is None else index.chunk(number),
        chunk_number=number,
        chunk_count=index.chunk_count,
    )
