"""A record of the archive is found by offset and by time, from the bucket alone."""

from pathlib import Path

import pytest

from everlog.model.offsets import Offset
from everlog.stores.memory import MemoryObjectStore
from service.tiering.archive_listing import read_root, root_names
from service.tiering.locating import Locator
from tests.unit.tiering.archives import REAL_PATH, TIMES, made_archive, names


@pytest.fixture
async def archive(tmp_path: Path) -> MemoryObjectStore:
    return await made_archive(tmp_path / "data")


async def locator(store: MemoryObjectStore) -> tuple[Locator, int]:
    found = await root_names(store, REAL_PATH)
    assert found.newest is not None
    root = (await read_root(store, found, found.newest)).root
    return Locator(store, REAL_PATH, root), root.tiered_end


async def test_every_offset_is_in_the_chunk_that_is_told(archive: MemoryObjectStore) -> None:
    where, end = await locator(archive)
    keys = set()
    for offset in range(end):
        found = await where.at_offset(Offset(offset))
        assert found is not None
        assert found.chunk is not None
        assert offset in found.entry.offsets
        assert offset in found.chunk.offsets
        keys.add(found.meta.key.text)
    assert sorted(keys) == names(archive, ".seg")
    assert await where.at_offset(Offset(end)) is None


async def test_a_time_leads_to_the_first_record_that_is_as_late(
    archive: MemoryObjectStore,
) -> None:
    where, end = await locator(archive)
    for number in range(end // 15):
        for timestamp in (TIMES + 1000 * number, TIMES + 1000 * number - 999):
            found = await where.at_time(timestamp)
            assert found is not None
            assert found.offset == 15 * number
    assert await where.at_time(TIMES + 10**9) is None
