"""The partitions that a broker leads."""

from collections.abc import AsyncIterator

import pytest

from service.partition.errors import UnknownPartitionError
from tests.unit.partition.ground import Ground, grounded, topic_id


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with grounded() as ground:
        yield ground


async def test_a_partition_is_found_by_name_and_by_id(ground: Ground) -> None:
    first, second = await ground.open("a", 0), await ground.open("a", 1)
    table = ground.table
    assert table.by_name("a", 1) is second
    assert table.by_id(topic_id("a"), 0) is first
    assert table.led("a", 0) is first
    assert table.of_topic(topic_id("a")) == [first, second]
    assert list(table.partitions) == [first, second]
    assert len(table) == 2


async def test_what_is_not_served_is_not_found(ground: Ground) -> None:
    partition = await ground.open("a")
    assert ground.table.remove(partition.id) is partition
    assert ground.table.remove(partition.id) is None
    assert ground.table.by_name("a", 0) is None
    assert ground.table.by_id(topic_id("a"), 0) is None
    with pytest.raises(UnknownPartitionError):
        ground.table.led("a", 0)


async def test_the_end_of_a_topic_leaves_its_namesake_alone(ground: Ground) -> None:
    old, new = await ground.open("old"), await ground.open("new")
    new.topic = old.topic
    ground.table.add(new)
    ground.table.remove(old.id)
    assert ground.table.by_name("old", 0) is new
