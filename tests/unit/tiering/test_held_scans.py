"""A scan that is held back for the sake of producers comes in small pieces."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typing_extensions import override

from everlog.stores.memory import MemoryObjectStore
from service.model.processor import Processor, ProcessorWaits
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Metadata, Site, metadata_tree, read_all, site
from tests.unit.tiering.test_cold_log import LARGE_OBJECTS, TOPIC, nothing_fails

MIB = 1 << 20
SETTINGS = {"remote.fetch.range.bytes": str(4 * MIB), "remote.cache.bytes": str(256 * MIB)}


class Untold(Processor):
    """A system that does not tell who waits, so that a pace stays as it is."""

    @override
    def waits(self) -> ProcessorWaits | None:
        return None


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


async def longest_fetch(running: Site, cache: Path, *, rate: float | None) -> int:
    """Scan a partition at a pace; return the bytes of the longest range that was fetched."""
    pace = running.cold.pace
    pace._processor, pace._rate = Untold(), rate
    partition = await running.open({**TOPIC, "segment.bytes": str(4 * MIB)} | LARGE_OBJECTS)
    appended = await running.append(partition, batches=5000, batch_bytes=4000)
    await running.released_to(partition, 4000)
    assert await read_all(partition) == appended
    # A file is named by object, position and length, and then by the number of the download.
    return max(int(name.split("-")[2]) for name in os.listdir(cache))


@pytest.mark.parametrize(
    ("rate", "low", "high"), [(None, 3 * MIB, 4 * MIB), (1e12, 0, MIB)], ids=["free", "held"]
)
async def test_a_scan_takes_whole_ranges_only_while_nobody_holds_it(
    tmp_path: Path, metadata: Metadata, *, rate: float | None, low: int, high: int
) -> None:
    store = FailingStore(MemoryObjectStore(clock=HastyClock()), nothing_fails)
    async with site(tmp_path, metadata, store=store, settings=SETTINGS) as running:
        assert low < await longest_fetch(running, tmp_path / "cache", rate=rate) <= high
