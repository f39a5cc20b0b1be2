"""Whether one object of the archive is there and whole: by what the store says, or by its bytes."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum

from everlog.format.entries import Entry
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.footer import NeedMore, SectionKind
from everlog.format.object_keys import ArchiveKey, PartitionPath, SegmentKey
from everlog.format.segment_check import SegmentCheck
from everlog.format.segment_index import SegmentIndex, open_segment, section_bytes
from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.offsets import OffsetRange
from everlog.stores.errors import ObjectMissingError
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore

READ_BYTES = 4 << 20
"""Read of an object at a time; more only where one batch is longer."""


class Fault(Enum):
    """What is wrong with an object, and what to do about it."""

    MISSING = "put it back from a copy, or from an older version of the bucket"
    DAMAGED = "put a sound copy in its place, or an older version that the bucket keeps"
    MANIFEST = "put a copy of it back, or let everlog tier restore make it from the segment objects"
    NEWER = "verify with the version of Everlog that wrote it, or a later one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An object that is not what it should be.

    Attributes:
        offsets: Whose records cannot be read, or not trusted; None if that is not known.
    """

    key: ArchiveKey
    fault: Fault
    reason: str
    offsets: OffsetRange | None


def problem_of(
    key: ArchiveKey, error: EverlogError, offsets: OffsetRange | None, *, fault: Fault
) -> Problem:
    """Say what an error means that reading an object has raised.

    Args:
        key: Of the object.
        error: What was raised; one that is not about the object is raised again.
        offsets: What it is needed for.
        fault: What it is if the object is there and unsound.
    """
    match error:
        case ObjectMissingError():
            missing = Fault.MISSING if isinstance(key, SegmentKey) else fault
            return Problem(key=key, fault=missing, reason="it is not there", offsets=offsets)
        case UnsupportedFormatError():
            return Problem(key=key, fault=Fault.NEWER, reason=str(error), offsets=offsets)
        case CorruptObjectError():
            return Problem(key=key, fault=fault, reason=error.reason, offsets=offsets)
        case CorruptionError():
            return Problem(key=key, fault=fault, reason=str(error), offsets=offsets)
        case _:
            raise error


async def attribute_problem(
    store: ObjectStore, path: PartitionPath, entry: Entry
) -> Problem | None:
    """Ask the store for an object's size and checksum; return what is wrong with them.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    key = entry.key(path)
    try:
        info = await store.head(object_key(key.text))
    except ObjectMissingError as error:
        return problem_of(key, error, entry.offsets, fault=Fault.DAMAGED)
    if info.size != entry.size_bytes:
        reason = f"it has {info.size:,} bytes instead of {entry.size_bytes:,}"
    elif info.checksum_crc32c not in {None, entry.crc32c}:
        reason = f"the store has CRC-32C {info.checksum_crc32c:08x} instead of {entry.crc32c:08x}"
    else:
        return None
    return Problem(key=key, fault=Fault.DAMAGED, reason=reason, offsets=entry.offsets)


async def content_problem(
    store: ObjectStore, path: PartitionPath, entry: Entry, *, executor: Executor | None = None
) -> Problem | None:
    """Read an object to its end and look at every batch; return what is wrong with it.

    No more of it than a few MiB is in memory at a time.

    Args:
        store: Where it is.
        path: Whose it is.
        entry: As the manifest has it.
        executor: Its threads compute the checksums.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    try:
        index = await read_index(store, path, entry)
        await _read_batches(store, index, executor)
    except EverlogError as error:
        return problem_of(entry.key(path), error, entry.offsets, fault=Fault.DAMAGED)
    return None


async def read_index(store: ObjectStore, path: PartitionPath, entry: Entry) -> SegmentIndex:
    """Read everything behind the batches of an object, and see that it is what it should be.

    Raises:
        ObjectMissingError: It is gone.
        CorruptObjectError: It is damaged, or not the object of that entry.
        UnsupportedFormatError: A newer Everlog wrote it.
    """
    name = entry.key(path)
    key, position = object_key(name.text), entry.data_bytes
    end = await store.read(key, position, entry.size_bytes - position)
    index = open_segment(end, object_bytes=entry.size_bytes, key=name)
    if isinstance(index, NeedMore):
        raise CorruptObjectError(key, "its indexes begin before the end of its batches")
    section_bytes(index.footer.section(SectionKind.PRODUCERS), end, position=position)
    if index.entry() != entry:
        raise CorruptObjectError(key, "the manifest says other things of it than its own footer")
    return index


async def _read_batches(store: ObjectStore, index: SegmentIndex, executor: Executor | None) -> None:
    check, key = SegmentCheck(index), object_key(index.meta.key.text)
    loop = asyncio.get_running_loop()
    while check.next_chunk < index.chunk_count:
        position, length = _stretch(index, check.next_chunk)
        data = await store.read(key, position, length)
        await loop.run_in_executor(executor, check.feed, data)
    check.finish()


def _stretch(index: SegmentIndex, chunk: int) -> tuple[int, int]:
    """Return position and length of the chunks from one on that are read together."""
    first = index.chunk(chunk)
    length = first.length
    for number in range(chunk + 1, index.chunk_count):
        more = index.chunk(number).length
        if length + more > READ_BYTES:
            break
        length += more
    return first.position, length
