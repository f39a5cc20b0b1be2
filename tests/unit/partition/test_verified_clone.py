"""What a clone has let go of while it is looked at is no loss, wherever it lay."""

from dataclasses import replace

from everlog.format.entries import entry_of
from everlog.format.replacing import Replacement
from everlog.model.offsets import Offset, OffsetRange
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo
from service.tiering.partition_tier import PartitionTier, TierChange
from service.tiering.verification import Verifier
from tests.unit.partition.test_cloning import SOURCE, Yard, yard
from tests.unit.tiering.test_partition_tier import objects_from

__all__ = ["yard"]


async def test_what_a_large_clone_has_merged_meanwhile_is_no_problem(yard: Yard) -> None:
    await yard.grown(SOURCE, 900)
    clone = await yard.clone()
    foreign = [object_key(name) for name in (await yard.names(SOURCE))[512:515]]
    head = yard.objects.head

    async def late_head(key: ObjectKey) -> ObjectInfo:
        if key == foreign[0]:
            await _merge(yard, clone)
            await yard.extend(clone, 600)  # so that the merged object is in a page, a new one
            await yard.objects.delete(foreign)
        return await head(key)

    yard.objects.head = late_head  # type: ignore[method-assign]
    report = await Verifier(yard.objects, deep=False).partition(clone.path)
    assert report.objects == 900
    assert [each.key.text for each in report.problems if each.key.text in foreign] == []


async def _merge(yard: Yard, clone: PartitionTier) -> None:
    """Take in the first three foreign objects that are in no page."""
    root = await clone.root()
    assert root is not None
    old = [entry_of(root.entries, row) for row in range(3)]
    (made,) = objects_from(clone, Offset(0), 1)
    offsets = OffsetRange(old[0].offsets.start, old[-1].offsets.end)
    new = replace(made.entry, offsets=offsets, records=sum(each.records for each in old))
    await yard.objects.create(object_key(new.key(clone.path).text), b"x")
    await clone.commit(TierChange(replacement=Replacement(old=old, new=[new])))
