"""A clone that was deleted may come back, so what it needs of its source stays as long.

Who was cloned from it goes on without it.
"""

import pytest

from everlog.format.deletion_mark import DeletionMark
from everlog.model.ids import PartitionId
from everlog.stores.object_key import object_key
from service.coordination.deleted_topics import list_deleted_topics
from service.coordination.znodes import CLONES
from service.partition.deleted_tiers import DeletedTiers
from service.partition.source_topics import SourceTopics
from service.tiering.topic_objects import TopicObjects
from tests.unit.partition.source_bucket import Source, topic_id
from tests.unit.partition.test_cloning import CLONE, HOUR_MS, SECOND, SOURCE, Yard, listed
from tests.unit.tiering.site import metadata_tree


def _with_grace(yard: Yard) -> DeletedTiers:
    return DeletedTiers(
        metadata=yard.metadata.store,
        owner=lambda: 0,
        pins=yard.pins,
        cluster_id="c",
        sweeper=yard.sweeper,
        records=TopicObjects(yard.store, cluster_id="c", clock=yard.clock, ids=yard.ids),
        clock=yard.clock,
        grace_ms=HOUR_MS,
    )


async def test_a_deleted_clone_keeps_what_it_needs_of_its_source_until_its_grace_is_over() -> None:
    async with metadata_tree() as metadata:
        await metadata.store.create(CLONES)
        yard = Yard(metadata)
        deleted = _with_grace(yard)
        await yard.grown(SOURCE)
        clone = await yard.clone()
        needed = await listed(clone)
        now_ms = yard.clock.now_ms
        await metadata.delete_topic(SOURCE, partitions=1, deleted_ms=now_ms - HOUR_MS)
        await metadata.delete_topic(CLONE, partitions=1, deleted_ms=now_ms)
        for _ in range(4):
            await deleted.sweep()
        assert needed
        assert needed == await yard.names(SOURCE)
        for key in needed:
            assert await yard.objects.read_all(object_key(key), size_max=1) == b"x"
        yard.clock.now_ms += HOUR_MS
        for _ in range(8):
            await deleted.sweep()
        assert yard.objects._objects == {}


@pytest.mark.parametrize("is_claimed", [False, True])
async def test_the_clone_of_a_clone_that_was_deleted_before_it_was_made_begins_with_what_that_would(
    *, is_claimed: bool
) -> None:
    async with metadata_tree() as metadata:
        await metadata.store.create(CLONES)
        yard = Yard(metadata)
        await yard.grown(SOURCE)
        await yard.order(SOURCE, CLONE)
        await yard.order(SOURCE, SECOND, rank=1)
        await yard.order(CLONE, SECOND)
        if is_claimed:  # and then the store did not answer
            await yard.claimed(CLONE, epoch=1001)
        else:
            await metadata.add(PartitionId(CLONE, 0))
        for each in (SOURCE, CLONE):
            await metadata.delete_topic(each, partitions=1)
        for _ in range(4):
            await yard.deleted.sweep()
        last = await yard.claimed(SECOND, epoch=2001)
        assert await yard.cloning.open(last)
        for _ in range(4):
            await yard.deleted.sweep()
        assert await listed(last) == await yard.names(SOURCE)
        assert len(await listed(last)) == 3
        assert [each.topic_id for each in await list_deleted_topics(metadata.store)] == [SOURCE]


async def test_who_only_reads_sees_a_topic_that_came_back_and_none_that_is_deleted() -> None:
    source = Source()
    topics = SourceTopics(source.objects)
    await source.record("orders", version=2)
    mark = DeletionMark(topic_id=topic_id("orders"), deleted_ms=1, goes_ms=2, version=2)
    await source.objects.mark_deleted(mark, owner=lambda: 0, has_tier=True)
    assert await topics.look() == []
    await source.record("orders", version=3)
    assert [each.name for each in await topics.look()] == ["orders"]
