"""An object store made of blocking calls: one thread for each call under way."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from crc32c import crc32c as crc32c_of

from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.call_threads import CallThreads
from everlog.stores.object_key import ObjectKey, key_prefix, object_key
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    StoreCapabilities,
)
from everlog.stores.received import Chunks, into_buffer, into_file


class BlockingObjects(Protocol):
    """The methods of `ObjectStore` as calls that block; keys have been checked.

    A call that gets ``stop`` ends with `CallStoppedError` soon after the event is set.
    """

    def create(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
        stop: threading.Event,
    ) -> CreatedObject:
        """Store a new object."""
        ...

    def overwrite(self, key: ObjectKey, content: bytes) -> None:
        """Store an object in place of another."""
        ...

    def chunks(self, key: ObjectKey, start: int, length: int, stop: threading.Event) -> Chunks:
        """Yield exactly the bytes of a range."""
        ...

    def read_all(self, key: ObjectKey, size_max: int) -> bytes:
        """Return a whole object."""
        ...

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Return what the store says of an object."""
        ...

    def list(self, prefix: str, start_after: str | None, limit: int) -> Sequence[ObjectInfo]:
        """Return one page of objects."""
        ...

    def delete(self, keys: Sequence[ObjectKey]) -> None:
        """Delete objects."""
        ...

    def probe(self, key: ObjectKey) -> StoreCapabilities:
        """Try the store out."""
        ...

    def can_lock(self) -> bool:
        """Say whether objects can be locked."""
        ...

    def local_path(self, key: ObjectKey) -> str | None:
        """Return the path of a local file; does not block."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class ThreadedObjectStore:
    """An `ObjectStore` over blocking calls.

    Args:
        objects: The calls.
        name: What its threads are called.
        threads_max: Calls at a time that are no reads of ranges.
        reads_max: Reads of ranges at a time; they have threads of their own, so that however many
            read, an upload and a manifest find one.
    """

    def __init__(
        self, objects: BlockingObjects, *, name: str, threads_max: int, reads_max: int
    ) -> None:
        self._objects = objects
        self._threads = CallThreads(name, threads_max=threads_max)
        self._reads = CallThreads(f"{name}-reads", threads_max=reads_max)

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
        return await self._threads.run_to_end(
            lambda stop: self._objects.create(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock, stop=stop
            )
        )

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        object_key(key)
        await self._threads.run(partial(self._objects.overwrite, key, bytes(body)))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        object_key(key)
        never = threading.Event()
        return await self._reads.run(
            lambda: b"".join(self._objects.chunks(key, start, length, never))
        )

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        object_key(key)
        return await self._threads.run(partial(self._objects.read_all, key, size_max))

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        object_key(key)
        length = memoryview(buffer).nbytes
        await self._reads.run_to_end(
            lambda stop: into_buffer(self._objects.chunks(key, start, length, stop), buffer)
        )

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        object_key(key)
        return await self._reads.run_to_end(
            lambda stop: into_file(self._objects.chunks(key, start, length, stop), path)
        )

    async def head(self, key: ObjectKey) -> ObjectInfo:
        object_key(key)
        return await self._threads.run(partial(self._objects.head, key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        key_prefix(prefix)
        return await self._threads.run(partial(self._objects.list, prefix, start_after, limit))

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        for key in keys:
            object_key(key)
        await self._threads.run(partial(self._objects.delete, tuple(keys)))

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        object_key(key)
        return await self._threads.run(partial(self._objects.probe, key))

    async def can_lock(self) -> bool:
        return await self._threads.run(self._objects.can_lock)

    def local_path(self, key: ObjectKey) -> str | None:
        return self._objects.local_path(object_key(key))

    async def close(self) -> None:
        await self._threads.close()
        await self._reads.close()
        self._objects.close()
