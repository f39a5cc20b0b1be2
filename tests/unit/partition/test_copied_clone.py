"""What a clone shares with its source is copied along, and once, and is sound without it."""

from everlog.format.meta_keys import topic_prefix
from everlog.model.storage_class import StorageClass
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectStore, list_all
from service.tiering.copy_classes import CopyClasses
from service.tiering.partition_copying import PartitionCopier
from service.tiering.verification import Verifier
from tests.unit.partition.test_cloning import SOURCE, Yard, listed, path, yard

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


async def test_what_is_left_of_a_deleted_source_for_its_clone_is_no_problem(yard: Yard) -> None:
    source = await yard.grown(SOURCE)
    await yard.extend(source, 2)
    clone = await yard.clone()
    await yard.metadata.delete_topic(SOURCE, partitions=1)
    for _ in range(4):
        await yard.deleted.sweep()
    assert await listed(clone) == await yard.names(SOURCE)
    assert await _problems(yard) == (0, 0)
    # Without what tells of the deletion the same objects have lost their roots.
    prefix = topic_prefix("c", SOURCE)
    await yard.objects.delete([info.key async for info in list_all(yard.objects, prefix)])
    assert await _problems(yard) == (1, 1)


async def _problems(yard: Yard) -> tuple[int, int]:
    """Count what a verification and a copy find wrong with the source."""
    target = MemoryObjectStore(clock=yard.clock)
    copier = PartitionCopier(
        yard.objects, target, objects=UncheckedCopier(target), classes=CopyClasses()
    )
    report = await Verifier(yard.objects, deep=False).partition(path(SOURCE))
    copied = await copier.copy(path(SOURCE), is_thorough=True)
    return report.problem_count, copied.problem_count
