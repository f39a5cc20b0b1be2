"""A store in memory that keeps classes and locks, as a bucket with Object Lock does."""

from collections.abc import Sequence

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import ObjectsNotDeletedError, StoreDeniedError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject, ObjectInfo
from tests.contract.object_stores import FailingStore


class LockingStore(FailingStore):
    """What is locked cannot be deleted before, as in a server that answers 403 to that.

    Attributes:
        classes: Of each object that was ever stored from files.
        locks: The same; a test may put others in, as an operator does.
        forgets: Whether locks are taken and not kept.
    """

    def __init__(self, *, clock: Clock) -> None:
        self.objects = MemoryObjectStore(clock=clock)
        super().__init__(self.objects, lambda: (None, None))
        self._clock = clock
        self.classes: dict[ObjectKey, StorageClass] = {}
        self.locks: dict[ObjectKey, ObjectLock] = {}
        self.forgets = False

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        made = await super().create_from_file(key, parts, crc32c=crc32c)
        self.classes[key] = storage_class
        if lock is not None and not self.forgets:
            self.locks[key] = lock
        return made

    async def head(self, key: ObjectKey) -> ObjectInfo:
        info = await super().head(key)
        return ObjectInfo(
            key=key,
            size=info.size,
            modified_ms=info.modified_ms,
            checksum_crc32c=info.checksum_crc32c,
            lock=self.locks.get(key),
        )

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        now_ms = self._clock.wall_ms()
        refused: dict[ObjectKey, EverlogError] = {
            key: StoreDeniedError("delete", key, "AccessDenied: it is locked")
            for key in keys
            if key in self.locks and self.locks[key].until_ms > now_ms
        }
        await super().delete([key for key in keys if key not in refused])
        if refused:
            raise ObjectsNotDeletedError(refused)

    async def can_lock(self) -> bool:
        return True
