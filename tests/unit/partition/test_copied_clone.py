"""What a clone shares with its source is copied along, and once."""

from everlog.model.storage_class import StorageClass
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.copy_classes import CopyClasses
from service.tiering.partition_copying import PartitionCopier
from tests.unit.partition.test_cloning import SOURCE, Yard, listed, yard

__all__ = ["yard"]


class UncheckedCopier:
    """Makes objects of the right size: those of a yard are one byte each."""

    def __init__(self, target: ObjectStore) -> None:
        self._target = target

    async def copy(
        self,
        key: ObjectKey,
        *,
        size: int,
        crc32c: int | None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> None:
        await self._target.create(key, bytes(size))


async def test_a_copy_of_a_clone_brings_the_objects_of_its_source_once(yard: Yard) -> None:
    await yard.grown(SOURCE)
    clone = await yard.clone()
    await yard.extend(clone, 1)
    target = MemoryObjectStore(clock=yard.clock)
    copier = PartitionCopier(
        yard.objects, target, objects=UncheckedCopier(target), classes=CopyClasses()
    )
    for is_thorough in (False, True):
        copied = await copier.copy(clone.path, is_thorough=is_thorough)
        assert copied.problems == []
    held = {info.key async for info in list_all(target, "")}
    assert set(await listed(clone)) <= held
    assert copier.counts.kept_objects == 4
