"""What was deleted can be had back for a while: its objects stay until the grace is over."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.format.deletion_mark import decode_deletion_mark
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from service.coordination.deleted_topics import list_deleted_topics
from tests.contract.object_stores import FailingStore
from tests.unit.partition.test_archiver import SEGMENTS, archived, filled
from tests.unit.tiering.site import TOPIC, HastyClock, Metadata, Site, nothing_fails, site

DAY_MS = 86_400_000


async def _deleted(running: Site, metadata: Metadata, *, deleted_ms: int) -> None:
    partition = await filled(running, SEGMENTS)
    await archived(running, partition)
    await running.cold.archiver.close(partition.id)
    await metadata.delete_topic(TOPIC, partitions=1, deleted_ms=deleted_ms)


async def test_the_objects_of_a_deleted_topic_stay_until_its_grace_is_over(
    running: Site, objects: MemoryObjectStore, metadata: Metadata, clock: HastyClock
) -> None:
    await _deleted(running, metadata, deleted_ms=clock.now_ms)
    before = set(objects._objects)
    clock.now_ms += DAY_MS - 1
    for _ in range(3):
        await running.cold.deleted.sweep()
    assert before <= objects._objects.keys()
    assert len(await list_deleted_topics(metadata.store)) == 1
    clock.now_ms += 1
    for _ in range(3):
        await running.cold.deleted.sweep()
    assert not objects._objects
    assert await list_deleted_topics(metadata.store) == []


async def test_the_mark_of_a_deleted_topic_is_there_soon_and_tells_when_its_objects_go(
    running: Site, objects: MemoryObjectStore, metadata: Metadata, clock: HastyClock
) -> None:
    await _deleted(running, metadata, deleted_ms=clock.now_ms)
    await running.cold.deleted.sweep()
    (key,) = (each for each in objects._objects if "/deleted-" in each)
    body = await objects.read_all(object_key(key), size_max=4096)
    mark = decode_deletion_mark(body, topic_id=TOPIC)
    assert (mark.deleted_ms, mark.goes_ms) == (clock.now_ms, clock.now_ms + DAY_MS)


async def test_a_topic_that_never_had_an_archive_is_forgotten_at_once(
    running: Site, metadata: Metadata, clock: HastyClock
) -> None:
    await metadata.delete_topic(TOPIC, partitions=1, deleted_ms=clock.now_ms)
    for _ in range(2):
        await running.cold.deleted.sweep()
    assert await list_deleted_topics(metadata.store) == []


class WitnessStore(FailingStore):
    """Looks, before each deletion, whether the topic could still come back."""

    def __init__(self, objects: MemoryObjectStore, metadata: Metadata) -> None:
        super().__init__(objects, nothing_fails)
        self.metadata = metadata
        self.could_come_back: list[bool] = []

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        deleted = await list_deleted_topics(self.metadata.store)
        self.could_come_back += [not topic.is_sweeping for topic in deleted]
        await super().delete(keys)


@pytest.mark.rule("TIER-51")
async def test_before_the_first_object_goes_the_topic_cannot_come_back_any_more(
    tmp_path: Path, metadata: Metadata, objects: MemoryObjectStore
) -> None:
    store = WitnessStore(objects, metadata)
    async with site(tmp_path, metadata, store=store) as running:
        await _deleted(running, metadata, deleted_ms=0)
        for _ in range(3):
            await running.cold.deleted.sweep()
    assert store.could_come_back
    assert not any(store.could_come_back)
    assert not objects._objects
