"""Segment objects that are being read: their indexes, and the ranges in which they are fetched."""

from collections import OrderedDict
from dataclasses import dataclass

from everlog.format.checksum import joined
from everlog.format.entries import Entry
from everlog.format.footer import NeedMore, SectionKind
from everlog.format.object_keys import PartitionPath
from everlog.format.segment_index import SegmentIndex, open_segment, section_bytes
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.second_look import second_look
from service.tiering.single_flight import SingleFlight, Spawn

OBJECTS_MAX = 512
"""Indexes of about 100 KiB each at 64 MiB and 16 KiB batches: 50 MiB for a whole broker."""

INDEX_BYTES_MIN = 256 << 10
"""The end of an object is read at once up to here; it is longer only with many producers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """Adjacent chunks of an object that are fetched together.

    Attributes:
        number: Ranges of an object count from 0.
        position: From the start of the object.
        start: Base offset of the first batch.
        end: Offset after the last batch.
    """

    number: int
    first_chunk: int
    chunks: int
    position: int
    length: int
    start: int
    end: int


class ColdObject:
    """One object: its entry, its index, and its ranges."""

    def __init__(self, entry: Entry, key: ObjectKey, index: SegmentIndex, range_bytes: int) -> None:
        self.entry = entry
        self.key = key
        self.index = index
        self.ranges = _ranges(index, range_bytes)
        self._range_of_chunk = [r.number for r in self.ranges for _ in range(r.chunks)]

    def range_of(self, chunk: int) -> ObjectRange:
        """Return the range that holds a chunk."""
        return self.ranges[self._range_of_chunk[chunk]]

    def crc32c(self, wanted: ObjectRange) -> int:
        """Return the checksum that the bytes of a range must have."""
        checksum = 0
        for number in range(wanted.first_chunk, wanted.first_chunk + wanted.chunks):
            chunk = self.index.chunk(number)
            checksum = joined(checksum, chunk.crc32c, chunk.length)
        return checksum


class ColdObjects:
    """Opens objects, and keeps the ones that were read lately, for all partitions of a broker."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        spawn: Spawn,
        range_bytes: int,
        objects_max: int = OBJECTS_MAX,
    ) -> None:
        self._store = store
        self._range_bytes = range_bytes
        self._objects_max = objects_max
        self._objects: OrderedDict[bytes, ColdObject] = OrderedDict()
        self._opening: SingleFlight[bytes, ColdObject] = SingleFlight(spawn)

    def at_hand(self, uid: bytes) -> ColdObject | None:
        """Return an object that is open."""
        found = self._objects.get(uid)
        if found is not None:
            self._objects.move_to_end(uid)
        return found

    async def open(self, path: PartitionPath, entry: Entry) -> ColdObject:
        """Return an object, reading its index if need be.

        Raises:
            ObjectMissingError: It is gone.
            CorruptObjectError: Its end is damaged.
            StoreUnavailableError: The store did not answer.
        """
        found = self.at_hand(entry.uid)
        if found is None:
            found = await self._opening.do(entry.uid, lambda: self._open(path, entry))
        return found

    async def producers(self, found: ColdObject) -> bytes:
        """Read the producer state at the end of an object; raises like `open`."""
        return await second_look(lambda: self._producers(found))

    async def _producers(self, found: ColdObject) -> bytes:
        section = found.index.footer.section(SectionKind.PRODUCERS)
        data = b""
        if section.length:
            data = await self._store.read(found.key, section.position, section.length)
        return section_bytes(section, data, position=section.position)

    def forget(self, uid: bytes) -> None:
        """Close an object."""
        self._objects.pop(uid, None)

    async def _open(self, path: PartitionPath, entry: Entry) -> ColdObject:
        found = await second_look(lambda: self._read(path, entry))
        self._objects[entry.uid] = found
        if len(self._objects) > self._objects_max:
            self._objects.popitem(last=False)
        return found

    async def _read(self, path: PartitionPath, entry: Entry) -> ColdObject:
        name = entry.key(path)
        key = object_key(name.text)
        behind = entry.size_bytes - entry.data_bytes
        suffix = await self._suffix(key, entry.size_bytes, min(behind, INDEX_BYTES_MIN))
        index = open_segment(suffix, object_bytes=entry.size_bytes, key=name)
        while isinstance(index, NeedMore):
            suffix = await self._suffix(key, entry.size_bytes, index.suffix_bytes)
            index = open_segment(suffix, object_bytes=entry.size_bytes, key=name)
        return ColdObject(entry, key, index, self._range_bytes)

    async def _suffix(self, key: ObjectKey, size: int, length: int) -> bytes:
        return await self._store.read(key, size - length, length)


def _ranges(index: SegmentIndex, range_bytes: int) -> tuple[ObjectRange, ...]:
    """Group chunks; a range ends before the chunk that would make it longer."""
    found: list[ObjectRange] = []
    number = 0
    while number < index.chunk_count:
        first = last = index.chunk(number)
        chunks, length = 1, first.length
        while number + chunks < index.chunk_count:
            after = index.chunk(number + chunks)
            if length + after.length > range_bytes:
                break
            last, length, chunks = after, length + after.length, chunks + 1
        found.append(
            ObjectRange(
                number=len(found),
                first_chunk=number,
                chunks=chunks,
                position=first.position,
                length=length,
                start=first.offsets.start,
                end=last.offsets.end,
            )
        )
        number += chunks
    return tuple(found)
