"""Storage classes in a bucket, by a real transfer process: objects move, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.format.entries import Entry, entry_of
from everlog.format.object_keys import PartitionPath
from everlog.stores.object_store import list_all
from service.app.cli.archive_sums import read_archive_sums
from service.partition.partition import Partition
from tests.contract.object_stores import ACCESS_KEY, BUCKET, SECRET_KEY, class_of
from tests.unit.tiering.site import HastyClock, Metadata, Site, metadata_tree, read_all, site
from tests.waiting import until

MIB = 1 << 20
DAY_MS = 86_400_000
TOPIC = {
    "segment.bytes": str(6 * MIB),
    "remote.object.bytes": str(6 * MIB),
    "local.retention.bytes": "1",
    "remote.storage.class": "STANDARD_IA",
    "remote.storage.class.later": "GLACIER_IR",
    "remote.storage.class.later.ms": str(30 * DAY_MS),
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


class Bucket:
    """What is in the bucket of a broker, as its server tells."""

    def __init__(self, endpoint: str, prefix: str) -> None:
        self.endpoint = endpoint
        self.prefix = prefix
        self.url = f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1&path_style=true"

    async def classes(self, running: Site) -> set[str]:
        """Return the classes of the objects that the manifest lists."""
        path, entries = await listed(running)
        names = [f"{self.prefix}/{each.key(path).text}" for each in entries]
        return {await class_of(self.endpoint, name) for name in names}

    async def others(self, running: Site) -> set[str]:
        """Return the classes of everything that is no segment object."""
        found = [each.key async for each in list_all(running.cold.store, "")]
        names = [f"{self.prefix}/{key}" for key in found if "/seg/" not in key]
        assert any("/root/" in name for name in names)
        return {await class_of(self.endpoint, name) for name in names}


async def listed(running: Site) -> tuple[PartitionPath, list[Entry]]:
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    tier = archive.tiered.tier
    root = await tier.root()
    assert root is not None
    return tier.path, [entry_of(root.entries, row) for row in range(len(root.entries))]


async def grown(running: Site, partition: Partition, clock: HastyClock) -> bytes:
    appended = await running.append(
        partition, batches=160, batch_bytes=MIB // 8, timestamp_ms=clock.now_ms
    )
    await running.tiered_to(partition, partition.hot.active.base_offset)
    await running.released_to(partition, partition.hot.active.base_offset)
    return appended


@pytest.mark.rule("TIER-10")
async def test_old_objects_move_to_another_class_byte_for_byte_over_a_restart(
    tmp_path: Path, metadata: Metadata, moto: str
) -> None:
    bucket = Bucket(moto, f"classes-{tmp_path.name.replace('_', '-')}")
    settings = {"store.url": bucket.url}
    clock = HastyClock()
    async with site(tmp_path / "a", metadata, settings=settings, clock=clock) as running:
        partition = await running.open(TOPIC)
        appended = await grown(running, partition, clock)
        assert await bucket.classes(running) == {"STANDARD_IA"}
        path, before = await listed(running)
        clock.now_ms += 31 * DAY_MS
        await until(lambda: running.cold.stats.moves >= 1)
    moved = running.cold.stats.moves
    async with site(tmp_path / "a", metadata, settings=settings, clock=clock, seed=1) as running:
        partition = await running.open(TOPIC, epoch=2)
        async with asyncio.timeout(60):
            while await bucket.classes(running) != {"GLACIER_IR"}:
                await asyncio.sleep(0.05)
        # The last commit before the stop may have been made and not been counted.
        assert running.cold.stats.moves + moved <= len(before)
        assert await bucket.others(running) == {"STANDARD"}
        assert await read_all(partition) == appended
        clock.now_ms += 2 * 3_600_000
        gone = {each.key(path).text for each in before}
        async with asyncio.timeout(60):
            while gone & {each.key async for each in list_all(running.cold.store, path.segments)}:
                await asyncio.sleep(0.05)
        assert await read_all(partition) == appended


async def test_what_is_in_which_class_can_be_read_from_the_bucket_alone(
    tmp_path: Path, metadata: Metadata, moto: str
) -> None:
    bucket = Bucket(moto, f"classes-{tmp_path.name.replace('_', '-')}")
    clock = HastyClock()
    async with site(
        tmp_path / "a", metadata, settings={"store.url": bucket.url}, clock=clock
    ) as running:
        partition = await running.open(TOPIC)
        await grown(running, partition, clock)
        path, entries = await listed(running)
        sums = await read_archive_sums(running.cold.store, [path])
        stored = sum(each.size_bytes for each in entries)
        assert sums[0].bytes_by_class == {"STANDARD_IA": stored}
