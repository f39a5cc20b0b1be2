"""An archive of one partition, for tests that do not need one of their own."""

from collections.abc import AsyncIterator

import pytest

from everlog.stores.memory import MemoryObjectStore
from service.tiering.partition_tier import PartitionTier
from tests.unit.tiering.copies import made_source, made_tier
from tests.unit.tiering.site import HastyClock, Metadata, metadata_tree
from tests.unit.tiering.test_partition_tier import PARTITION


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        await metadata.add(PARTITION)
        yield metadata


@pytest.fixture
async def source(clock: HastyClock) -> MemoryObjectStore:
    return await made_source(clock)


@pytest.fixture
async def tier(metadata: Metadata, source: MemoryObjectStore, clock: HastyClock) -> PartitionTier:
    """A tier of three roots of twelve objects."""
    return await made_tier(metadata, source, clock, objects=4)


@pytest.fixture
async def long_tier(
    metadata: Metadata, source: MemoryObjectStore, clock: HastyClock
) -> PartitionTier:
    """A tier so long that it has a page."""
    return await made_tier(metadata, source, clock, objects=300)
