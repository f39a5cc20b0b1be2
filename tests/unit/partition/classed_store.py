"""A store in memory that notes the classes of its objects, as a bucket does."""

from collections.abc import Sequence

from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import nothing_fails


class ClassedStore(FailingStore):
    """Keeps everything in memory.

    Attributes:
        classes: Of each object that was ever stored from files.
    """

    def __init__(self, objects: MemoryObjectStore) -> None:
        super().__init__(objects, nothing_fails)
        self.classes: dict[ObjectKey, StorageClass] = {}

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
        return made
