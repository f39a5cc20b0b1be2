"""Pins in the metadata tree: everything until a clone says otherwise, and nothing after it."""

from collections.abc import AsyncIterator

import pytest

from everlog.format.object_keys import PartitionPath
from everlog.format.pins import EVERYTHING, Pin
from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import Offset
from service.coordination.clone_pins import Cloned, ClonePins
from service.coordination.znodes import CLONES
from tests.unit.tiering.site import Metadata, metadata_tree

SOURCE, CLONE, OTHER = (TopicId(bytes([number]) * 16) for number in (1, 2, 3))
PIN = Pin(start=Offset(5), end=Offset(90), ver=7)


def path(number: int, topic_id: TopicId = SOURCE) -> PartitionPath:
    return PartitionPath(cluster_id="c", topic_id=topic_id, partition=number)


def cloned(clone: TopicId = CLONE, *, source: TopicId = SOURCE, rank: int = 0) -> Cloned:
    return Cloned(source=source, clone=clone, rank=rank, partitions=2)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.store.create(CLONES)
        yield metadata


@pytest.fixture
def pins(metadata: Metadata) -> ClonePins:
    return ClonePins(metadata.store)


async def test_a_clone_needs_everything_until_it_says_what(
    metadata: Metadata, pins: ClonePins
) -> None:
    assert await pins.of(path(0)) == []
    await metadata.store.multi([cloned().creation])
    assert await pins.of(path(0)) == [EVERYTHING]
    await pins.note(cloned(), 0, PIN)
    await pins.note(cloned(), 0, PIN)
    assert (await pins.of(path(0)), await pins.of(path(1))) == ([PIN], [EVERYTHING])
    await pins.note(cloned(), 0, Pin(start=Offset(90), end=Offset(90), ver=7))
    assert await pins.of(path(0)) == []


async def test_partitions_that_came_after_the_clone_are_not_pinned(
    metadata: Metadata, pins: ClonePins
) -> None:
    await metadata.store.multi([cloned().creation])
    assert await pins.of(path(2)) == []
    assert await pins.sources_of(PartitionId(CLONE, 2)) == []


async def test_every_clone_of_a_topic_counts_and_no_other_topic_s(
    metadata: Metadata, pins: ClonePins
) -> None:
    await metadata.store.multi([cloned().creation, cloned(OTHER).creation])
    assert await pins.of(path(0)) == [EVERYTHING, EVERYTHING]
    assert await pins.of(path(0, CLONE)) == []


async def test_a_clone_of_a_clone_knows_the_nearest_first(
    metadata: Metadata, pins: ClonePins
) -> None:
    far, near = cloned(OTHER, rank=1), cloned(OTHER, source=CLONE)
    await metadata.store.multi([far.creation, near.creation])
    assert await pins.sources_of(PartitionId(OTHER, 1)) == [near, far]
    assert await pins.sources_of(PartitionId(CLONE, 1)) == []


async def test_a_clone_that_is_gone_needs_nothing_and_others_still_do(
    metadata: Metadata, pins: ClonePins
) -> None:
    await metadata.store.multi([cloned().creation, cloned(OTHER).creation])
    await pins.note(cloned(), 1, PIN)
    for _ in range(2):  # safe to repeat
        await pins.forget(CLONE)
        assert await pins.of(path(1)) == [EVERYTHING]
    await pins.forget(OTHER)
    assert await metadata.store.children(CLONES) == []


async def test_a_tree_of_an_older_version_has_no_clones() -> None:
    async with metadata_tree() as metadata:
        pins = ClonePins(metadata.store)
        assert await pins.of(path(0)) == []
        assert await pins.sources_of(PartitionId(CLONE, 0)) == []
        await pins.forget(CLONE)
