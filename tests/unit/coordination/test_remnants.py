"""What nobody can see is removed; what somebody may need never is."""

from everlog.model.ids import PartitionId, TopicName, id_text
from service.coordination.deleted_topics import (
    begin_sweep,
    forget_deleted_topic,
    list_deleted_topics,
)
from service.coordination.metadata_store import MetadataStore
from service.coordination.remnants import DELETES_MAX, sweep
from service.coordination.topic_edits import creation
from service.coordination.znodes import state_path, tier_path
from service.model.cluster import TopicImage
from tests.unit.coordination.stage import Stage, new_topic, running


async def _count(store: MetadataStore, root: str) -> int:
    names = await store.children(root)
    return len(names) + sum([await _count(store, f"{root}/{name}") for name in names])


async def _sweep(stage: Stage) -> None:
    term = stage.controller.term
    assert term is not None
    await sweep(stage.store, term)


async def _unfinished(stage: Stage, partitions: int) -> TopicImage:
    """Leave what a controller leaves that dies before a large topic appears."""
    (topic,) = await stage.topics.create_topics(
        [new_topic("large", partitions=partitions)], validate_only=True
    )
    assert isinstance(topic, TopicImage)
    unseen, _ = creation(topic)
    for edit in unseen:
        await stage.store.multi(edit.ops)
    return topic


async def test_a_topic_that_never_appeared_is_removed_at_the_next_start() -> None:
    async with running() as stage:
        await stage.create("kept", partitions=2)
        before = [await _count(stage.store, root) for root in ("/partitions", "/tier")]
        await _unfinished(stage, DELETES_MAX + 100)
        await _sweep(stage)
        assert [await _count(stage.store, root) for root in ("/partitions", "/tier")] == before


async def test_a_tier_that_points_at_objects_is_kept_without_proof_of_deletion() -> None:
    async with running() as stage:
        topic = await _unfinished(stage, 300)
        pointer = tier_path(PartitionId(topic.topic_id, 299))
        await stage.store.set(pointer, b"objects", version=0)
        await _sweep(stage)
        assert (await stage.store.get(pointer))[0] == b"objects"
        assert await stage.store.children("/partitions") == []


async def test_a_deleted_topic_is_listed_until_it_is_forgotten() -> None:
    async with running() as stage:
        topic = await stage.create("foo", partitions=3)
        pointer = tier_path(PartitionId(topic.topic_id, 2))
        await stage.store.set(pointer, b"objects", version=0)
        await stage.topics.delete_topics([TopicName("foo")])
        await _sweep(stage)
        (deleted,) = await list_deleted_topics(stage.store)
        assert (deleted.topic_id, deleted.name, deleted.partitions) == (topic.topic_id, "foo", 3)
        assert deleted.deleted_ms == 1_700_000_000_000
        assert (await stage.store.get(pointer))[0] == b"objects"
        assert await stage.store.children("/partitions") == [id_text(topic.topic_id)]
        begun = await begin_sweep(stage.store, deleted)
        for _ in range(2):
            await forget_deleted_topic(stage.store, begun)
            assert await list_deleted_topics(stage.store) == []
            assert await stage.store.children("/tier") == []
            assert await stage.store.children("/partitions") == []


async def test_a_sweep_never_takes_a_topic_that_the_image_has_not_seen_yet() -> None:
    async with running() as stage:
        (topic,) = await stage.topics.create_topics([new_topic("foo")], validate_only=True)
        assert isinstance(topic, TopicImage)
        _, edit = creation(topic)
        rows = b'{"v":1,"changes":[' + b",".join(edit.rows) + b"]}"
        # As after a creation whose answer was lost: in the tree, and on its way to the image.
        await stage.store.multi(edit.ops)
        await stage.store.create("/changes/seq-", rows, sequential=True)
        assert "foo" not in stage.image.topics
        await _sweep(stage)
        assert await stage.store.children("/partitions") == [id_text(topic.topic_id)]


async def test_a_sweep_never_takes_a_topic_that_has_lost_a_state() -> None:
    async with running() as stage:
        topic = await stage.create("foo", partitions=2)
        await stage.store.delete(state_path(PartitionId(topic.topic_id, 1)), version=0)
        await stage.images.load()
        assert "foo" not in stage.image.topics
        await _sweep(stage)
        assert await stage.store.exists(state_path(PartitionId(topic.topic_id, 0))) is not None
        assert await stage.store.exists(tier_path(PartitionId(topic.topic_id, 1))) is not None
