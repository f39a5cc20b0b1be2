"""A store from which this process only reads: every call that would change it is refused here."""

from collections.abc import Sequence
from typing import NoReturn

from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import StoreDeniedError
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)


class ReadOnlyObjectStore:
    """An `ObjectStore` before another one, which is never asked for anything but reads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        del body, crc32c
        _refuse("create", key)

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        del parts, crc32c, storage_class, lock
        _refuse("create", key)

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        del body
        _refuse("overwrite", key)

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await self._store.read(key, start, length)

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return await self._store.read_all(key, size_max=size_max)

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        await self._store.read_into(key, start, buffer)

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        return await self._store.read_into_file(key, start, length, path)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return await self._store.head(key)

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return await self._store.list(prefix, start_after=start_after, limit=limit)

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        if keys:
            _refuse("delete", keys[0])

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        _refuse("probe", key)

    async def can_lock(self) -> bool:
        return await self._store.can_lock()

    def local_path(self, key: ObjectKey) -> str | None:
        return self._store.local_path(key)

    async def close(self) -> None:
        await self._store.close()


def _refuse(operation: str, key: ObjectKey) -> NoReturn:
    raise StoreDeniedError(operation, key, "this process only reads the store")
