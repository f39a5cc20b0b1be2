"""Segment objects that are being read: their indexes, and the ranges in which they are fetched."""

from collections import OrderedDict
from dataclasses import dataclass

from everlog.format.checksum import joined
from everlog.format.entries import Entry
from everlog.format.object_keys import PartitionPath
from everlog.format.segment_index import SegmentIndex
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.object_index import read_index, read_producers
from service.tiering.object_verification import Fault
from service.tiering.read_damage import ReadDamage
from service.tiering.second_look import second_look
from service.tiering.single_flight import SingleFlight, Spawn

OBJECTS_MAX = 512
"""Indexes of about 100 KiB each at 64 MiB and 16 KiB batches: 50 MiB for a whole broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRange:
    """Adjacent chunks of an object that are fetched together.

    Attributes:
        number: Ranges of an object count from 0; a chunk has that of the range that it is from.
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

    def alone(self, chunk: int) -> ObjectRange:
        """Return a chunk as a range of its own: the least that can be verified."""
        whole = self.range_of(chunk)
        return whole if whole.chunks == 1 else _range(self.index, whole.number, chunk, chunk)

    def rest_of(self, part: ObjectRange) -> list[ObjectRange]:
        """Return the chunks behind ``part`` up to the end of the range that it is from."""
        whole = self.ranges[part.number]
        first = part.first_chunk + part.chunks
        return [self.alone(chunk) for chunk in range(first, whole.first_chunk + whole.chunks)]

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
        damage: ReadDamage,
        objects_max: int = OBJECTS_MAX,
    ) -> None:
        self._store = store
        self._range_bytes = range_bytes
        self._damage = damage
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
        return await second_look(lambda: read_producers(self._store, found.key, found.index))

    def forget(self, uid: bytes) -> None:
        """Close an object."""
        self._objects.pop(uid, None)

    async def _open(self, path: PartitionPath, entry: Entry) -> ColdObject:
        name = entry.key(path).text
        with self._damage.reading(name, fault=Fault.DAMAGED, offsets=entry.offsets):
            found = await second_look(lambda: self._read(path, entry))
        self._objects[entry.uid] = found
        if len(self._objects) > self._objects_max:
            self._objects.popitem(last=False)
        return found

    async def _read(self, path: PartitionPath, entry: Entry) -> ColdObject:
        name = entry.key(path)
        index = await read_index(
            self._store, name, size_bytes=entry.size_bytes, data_bytes=entry.data_bytes
        )
        key = object_key(name.text)
        return ColdObject(entry, key, index, self._range_bytes)


def _ranges(index: SegmentIndex, range_bytes: int) -> tuple[ObjectRange, ...]:
    """Group chunks; a range ends before the chunk that would make it longer."""
    found: list[ObjectRange] = []
    first = 0
    while first < index.chunk_count:
        last, length = first, index.chunk(first).length
        while last + 1 < index.chunk_count:
            length += index.chunk(last + 1).length
            if length > range_bytes:
                break
            last += 1
        found.append(_range(index, len(found), first, last))
        first = last + 1
    return tuple(found)


def _range(index: SegmentIndex, number: int, first_chunk: int, last_chunk: int) -> ObjectRange:
    first, last = index.chunk(first_chunk), index.chunk(last_chunk)
    return ObjectRange(
        number=number,
        first_chunk=first_chunk,
        chunks=last_chunk - first_chunk + 1,
        position=first.position,
        length=last.position + last.length - first.position,
        start=first.offsets.start,
        end=last.offsets.end,
    )
