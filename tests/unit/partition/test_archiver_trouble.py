"""The archiver in trouble, and at rest: who is kept from what, and what is asked of the store."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.format.object_keys import SegmentKey, parse_key
from everlog.model.ids import TopicId
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import StoreDeniedError, StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject
from service.coordination.deleted_topics import list_deleted_topics
from service.coordination.znodes import tier_path
from service.partition.turns import TURNS_MAX
from tests.contract.object_stores import FailingStore
from tests.unit.partition.test_archiver import (
    SEGMENTS,
    TOPIC,
    archived,
    filled,
    until,
)
from tests.unit.tiering.site import HastyClock, Metadata, Site, nothing_fails, site


class SickStore(FailingStore):
    """Refuses the objects of some partitions."""

    sick: frozenset[int] = frozenset()

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        parsed = parse_key(key)
        if isinstance(parsed, SegmentKey) and parsed.path.partition in self.sick:
            raise StoreUnavailableError("create", key, "this one never works")
        return await super().create_from_file(
            key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
        )


@pytest.mark.rule("TIER-28")
@pytest.mark.rule("TIER-39")
async def test_partitions_that_cannot_be_uploaded_keep_no_others_from_their_turn(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    store = SickStore(objects, nothing_fails)
    store.sick = frozenset(range(TURNS_MAX + 4))
    async with site(tmp_path, metadata, store=store) as running:
        for number in store.sick:
            partition = await running.open(SEGMENTS, number=number)
            await running.append(partition, batches=20, batch_bytes=1000)
        archives = list(running.cold.archiver.archives)
        await until(lambda: sum(each.stalled_since is not None for each in archives) >= TURNS_MAX)
        sound = await running.open(SEGMENTS, number=len(store.sick))
        await running.append(sound, batches=64, batch_bytes=1000)
        await archived(running, sound)
        assert all(each.tiered_end == 0 for each in archives)


@pytest.mark.rule("TIER-22")
async def test_an_upload_that_is_cancelled_by_mistake_is_noted_and_tried_again(
    running: Site, store: FailingStore
) -> None:
    store.plan = lambda: (asyncio.CancelledError(), None)
    partition = await filled(running, SEGMENTS)
    (archive,) = running.cold.archiver.archives
    await until(lambda: archive.stalled_since is not None)
    store.plan = nothing_fails
    await archived(running, partition)


@pytest.mark.rule("TIER-40")
async def test_what_cannot_have_expired_yet_is_not_looked_for_in_the_store(
    running: Site, store: FailingStore, clock: HastyClock
) -> None:
    partition = await filled(running, {**SEGMENTS, "retention.ms": "60000"})
    await archived(running, partition)
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    tier = archive.tiered.tier
    await until(lambda: tier.head is not None)
    await until(lambda: archive.orphans.due_ms > clock.now_ms)  # the first search is over
    tier.forget_root()
    store.calls.clear()
    clock.now_ms += 50_000
    await asyncio.sleep(0.2)  # several looks at all partitions
    assert "read" not in store.calls
    clock.now_ms += 20_000
    await until(lambda: partition.log_start == partition.tiered_end)
    # A setting that says otherwise holds at the next look.
    await running.append(partition, batches=64, batch_bytes=1000, timestamp_ms=clock.now_ms)
    await archived(running, partition)
    clock.now_ms += 2_000
    running.reconfigure(partition, {**SEGMENTS, "retention.ms": "1000"})
    await until(lambda: partition.log_start == partition.tiered_end)


@pytest.mark.rule("TIER-10")
async def test_what_expired_is_deleted_also_when_its_root_is_at_hand_no_more(
    running: Site, objects: MemoryObjectStore, clock: HastyClock
) -> None:
    partition = await filled(running, {**SEGMENTS, "retention.ms": "60000"})
    await archived(running, partition)
    segments = {key for key in objects._objects if "/seg/" in key}
    clock.now_ms += 61_000
    await until(lambda: partition.log_start == partition.tiered_end)
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    archive.tiered.tier.forget_root()
    clock.now_ms += 2 * 3_600_000
    await until(lambda: not segments & objects._objects.keys())


@pytest.mark.rule("TIER-48")
async def test_an_upload_that_arrives_after_its_topic_was_swept_is_swept_too(
    running: Site, objects: MemoryObjectStore, metadata: Metadata
) -> None:
    running.cold.deleted._round_seconds = 3600.0  # rounds of its own would count, too
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    late = next(key for key in objects._objects if "/seg/" in key)
    stored = objects._objects[late]
    await running.cold.archiver.close(partition.id)
    await metadata.delete_topic(TOPIC, partitions=1)
    for _ in range(2):  # the second one finds nothing
        await running.cold.deleted.sweep()
    objects._objects[late] = stored
    while await metadata.store.exists(tier_path(partition.id)) is not None:
        await running.cold.deleted.sweep()
    assert not objects._objects


class StuckStore(FailingStore):
    """Lets nothing be deleted that belongs to the topic of the tests."""

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        if any(TOPIC.hex() in key for key in keys):
            raise StoreDeniedError("delete", keys[0], "it is locked")
        await super().delete(keys)


@pytest.mark.rule("TIER-28")
async def test_a_deleted_topic_that_cannot_be_swept_keeps_no_other_back(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    async with site(tmp_path, metadata, store=StuckStore(objects, nothing_fails)) as running:
        partition = await filled(running, SEGMENTS)
        await archived(running, partition)
        await running.cold.archiver.close(partition.id)
        for topic_id in (b"\1" * 16, TOPIC, b"\xfe" * 16):
            await metadata.delete_topic(TopicId(topic_id), partitions=1)
        for _ in range(3):
            await running.cold.deleted.sweep()
        left = await list_deleted_topics(metadata.store)
        assert [each.topic_id for each in left] == [TOPIC]
