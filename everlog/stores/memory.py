"""Object store in memory, for tests and the simulator: deterministic, and strict."""

import heapq
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from crc32c import crc32c as crc32c_of

from everlog.model.buffer import Buffer
from everlog.model.clock import Clock
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart, BodyReader
from everlog.stores.byte_range import larger_than, range_beyond_end, range_end
from everlog.stores.errors import ObjectExistsError, ObjectMissingError, check_plain
from everlog.stores.object_key import ObjectKey, key_prefix, object_key
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    StoreCapabilities,
)
from everlog.stores.received import into_file


@dataclass(frozen=True, slots=True)
class _Stored:
    body: bytes
    crc32c: int
    modified_ms: int


class MemoryObjectStore:
    """Objects in a dictionary; every call takes effect at once, without giving up control."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._objects: dict[ObjectKey, _Stored] = {}

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        promised = crc32c_of(body) if crc32c is None else crc32c
        return await self.create_from_file(key, (body,), crc32c=promised)

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        object_key(key)
        check_plain(key, storage_class, lock)
        if key in self._objects:
            raise ObjectExistsError(key)
        stop = threading.Event()
        with BodyReader(key, parts, crc32c=crc32c, stop=stop) as reader:
            body = b"".join(iter(reader.read, b""))
        self._store(key, body, crc32c)
        return CreatedObject(key=key, size=len(body), crc32c=crc32c)

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        self._store(object_key(key), bytes(body), crc32c_of(body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        end = range_end(start, length)
        body = self._get(key).body
        if end > len(body):
            raise range_beyond_end(key, start, end, size=len(body))
        return body[start:end]

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        body = self._get(key).body
        if len(body) > size_max:
            raise larger_than(key, len(body), size_max)
        return body

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        target = memoryview(buffer).cast("B")
        target[:] = await self.read(key, start, len(target))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        body = await self.read(key, start, length)
        return into_file((chunk for chunk in (body,)), path)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return _info(key, self._get(key), with_checksum=True)

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        key_prefix(prefix)
        after = start_after or ""
        wanted = (key for key in self._objects if key.startswith(prefix) and key > after)
        return [
            _info(key, self._objects[key], with_checksum=False)
            for key in heapq.nsmallest(limit, wanted)
        ]

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        for key in keys:
            self._objects.pop(object_key(key), None)

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        object_key(key)
        return StoreCapabilities(
            creates_exclusively=True, verifies_checksums=True, keeps_checksums=True
        )

    async def can_lock(self) -> bool:
        return False

    def local_path(self, key: ObjectKey) -> str | None:
        object_key(key)
        return None

    async def close(self) -> None:
        """Keep everything: whoever holds the store may go on reading it."""

    def _store(self, key: ObjectKey, body: bytes, crc32c: int) -> None:
        self._objects[key] = _Stored(body, crc32c, self._clock.wall_ms())

    def _get(self, key: ObjectKey) -> _Stored:
        stored = self._objects.get(object_key(key))
        if stored is None:
            raise ObjectMissingError(key)
        return stored


def _info(key: ObjectKey, stored: _Stored, *, with_checksum: bool) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=len(stored.body),
        modified_ms=stored.modified_ms,
        checksum_crc32c=stored.crc32c if with_checksum else None,
    )
