"""Makes one object of several that lie side by side. Nothing of them is passed over (TIER-6)."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import SegmentKey, parse_key
from everlog.format.segment_index import SegmentIndex
from everlog.format.segment_object import SealedSegment
from everlog.format.segment_sections import AbortedTransaction
from everlog.model.errors import EverlogError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import FilePart
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from service.tiering.object_index import read_index, read_producers
from service.tiering.worker.channel import Fields
from service.tiering.worker.lock_fields import lock_fields, read_lock
from service.tiering.worker.sealing import SealOrder, seal_object
from service.tiering.worker.storing import put_object

FETCHES_MAX = 4
"""Objects that are read side by side; readers of the archive have more, and come first."""

MERGE_SUFFIX = ".merge"
"""Of files that hold the batches of an object while it is merged; a start removes what is left."""

_WHAT = "merged object"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """An object that goes into another, as the manifest lists it."""

    key: SegmentKey
    size_bytes: int
    data_bytes: int
    records: int
    crc32c: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOrder:
    """What a merged object is to be made of.

    Attributes:
        key: Its name; it covers what the inputs cover.
        inputs: In the order of their offsets.
        path: What the names of files may begin with that hold batches meanwhile.
        created_ms: Of the newest input: records without timestamps expire by it.
    """

    key: SegmentKey
    inputs: Sequence[MergeInput]
    path: str
    created_ms: int
    storage_class: StorageClass = StorageClass.STANDARD
    lock: ObjectLock | None = None


async def merge_objects(store: ObjectStore, order: MergeOrder) -> SealedSegment:
    """Read objects, each checked against its checksums and the manifest, and store one for them.

    The producer state and the leader epochs are those of the last one. Safe to repeat.

    Raises:
        ObjectMissingError: One is gone; it has expired, perhaps.
        CorruptObjectError: One is damaged, or the sums of records or bytes do not add up.
        StoreCorruptionError: The store has other bytes under the new name.
        StoreUnavailableError: The store did not answer; the outcome is unknown.
    """
    files = [f"{order.path}-{number}{MERGE_SUFFIX}" for number in range(len(order.inputs))]
    producers_path = f"{order.path}-producers{MERGE_SUFFIX}"
    loop = asyncio.get_running_loop()
    try:
        indexes = await _fetch_all(store, order.inputs, files)
        last = order.inputs[-1]
        producers = await read_producers(store, object_key(last.key.text), indexes[-1])
        await loop.run_in_executor(None, _write, producers_path, producers)
        ordered = SealOrder(
            key=order.key,
            parts=[
                FilePart(file, 0, each.data_bytes)
                for file, each in zip(files, order.inputs, strict=True)
            ],
            lineage=indexes[-1].lineage(),
            producers_path=producers_path,
            created_ms=order.created_ms,
            storage_class=order.storage_class,
            lock=order.lock,
            aborted=_aborted(indexes),
        )
        sealed = await loop.run_in_executor(None, seal_object, ordered)
        reconcile(order.inputs, sealed)
        await put_object(store, ordered, sealed)
    finally:
        await loop.run_in_executor(None, _unlink_all, [*files, producers_path])
    return sealed


async def _fetch_all(
    store: ObjectStore, inputs: Sequence[MergeInput], files: Sequence[str]
) -> list[SegmentIndex]:
    """Bring the batches of objects into files; the first failure ends it."""
    slots = asyncio.Semaphore(FETCHES_MAX)

    async def fetch(each: MergeInput, path: str) -> SegmentIndex:
        async with slots:
            return await _fetch(store, each, path)

    try:
        async with asyncio.TaskGroup() as tasks:
            fetched = [
                tasks.create_task(fetch(each, path))
                for each, path in zip(inputs, files, strict=True)
            ]
    except ExceptionGroup as failures:
        known, defects = failures.split(EverlogError)
        if known is None or defects is not None:
            raise
        raise known.exceptions[0] from failures
    return [each.result() for each in fetched]


async def _fetch(store: ObjectStore, each: MergeInput, path: str) -> SegmentIndex:
    index = await read_index(
        store, each.key, size_bytes=each.size_bytes, data_bytes=each.data_bytes
    )
    entry = index.entry()
    found = (entry.size_bytes, entry.data_bytes, entry.records, entry.crc32c)
    if found != (each.size_bytes, each.data_bytes, each.records, each.crc32c):
        raise CorruptObjectError(each.key.text, f"it is {found}, not what the manifest says")
    checksum = await store.read_into_file(object_key(each.key.text), 0, each.data_bytes, path)
    if checksum != index.meta.data_crc32c:
        raise CorruptObjectError(each.key.text, "its batches do not match their checksum")
    return index


def _aborted(indexes: Sequence[SegmentIndex]) -> list[AbortedTransaction]:
    """Return each aborted transaction once; one may have offsets in several objects."""
    found = (each for index in indexes for each in index.aborted_in(index.meta.key.offsets))
    return list(dict.fromkeys(found))


def reconcile(inputs: Sequence[MergeInput], sealed: SealedSegment) -> None:
    """Make sure that nothing is missing and nothing is there twice (TIER-5, TIER-6).

    Raises:
        CorruptObjectError: The sums of records or of bytes differ.
    """
    found = (sealed.meta.records, sealed.meta.data_bytes)
    wanted = (sum(each.records for each in inputs), sum(each.data_bytes for each in inputs))
    if found != wanted:
        reason = f"{found[0]} records and {found[1]} bytes instead of {wanted[0]} and {wanted[1]}"
        raise CorruptObjectError(_WHAT, reason)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _unlink_all(paths: Sequence[str]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(path)


def merge_fields(order: MergeOrder) -> Fields:
    """Write an order down."""
    return {
        "key": order.key.text,
        "inputs": [
            [each.key.text, each.size_bytes, each.data_bytes, each.records, each.crc32c]
            for each in order.inputs
        ],
        "path": order.path,
        "created_ms": order.created_ms,
        "storage_class": order.storage_class.name,
        "lock": lock_fields(order.lock),
    }


def merge_order(fields: Fields) -> MergeOrder:
    """Read what `merge_fields` wrote."""
    return MergeOrder(
        key=segment_key(fields["key"]),
        inputs=[
            MergeInput(
                key=segment_key(key),
                size_bytes=size_bytes,
                data_bytes=data_bytes,
                records=records,
                crc32c=crc32c,
            )
            for key, size_bytes, data_bytes, records, crc32c in fields["inputs"]
        ],
        path=fields["path"],
        created_ms=fields["created_ms"],
        storage_class=StorageClass[fields["storage_class"]],
        lock=read_lock(fields["lock"]),
    )


def segment_key(text: str) -> SegmentKey:
    """Read the name of a segment object."""
    key = parse_key(text)
    if not isinstance(key, SegmentKey):
        raise CorruptObjectError("order", f"{text} names no segment object")
    return key
