"""A site over a store in memory that can be made to fail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.stores.memory import MemoryObjectStore
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Metadata, Site, metadata_tree, nothing_fails, site


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def objects(clock: HastyClock) -> MemoryObjectStore:
    return MemoryObjectStore(clock=clock)


@pytest.fixture
def store(objects: MemoryObjectStore) -> FailingStore:
    return FailingStore(objects, nothing_fails)


@pytest.fixture
async def running(
    tmp_path: Path, metadata: Metadata, store: FailingStore, clock: HastyClock
) -> AsyncIterator[Site]:
    async with site(tmp_path, metadata, store=store, clock=clock) as running:
        yield running
