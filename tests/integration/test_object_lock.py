"""Locked objects in buckets, by a real transfer process: they stay, and are hidden when they go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.format.entries import Entry, entry_of
from everlog.model.object_lock import LockMode
from everlog.stores.object_key import object_key
from everlog.stores.object_store import list_all
from everlog.stores.s3_client import s3_client
from service.app.lock_check import LockCheck
from service.app.system import SystemClock
from service.partition.partition import Partition
from tests.contract.object_stores import (
    ACCESS_KEY,
    LOCKING_BUCKET,
    SECRET_KEY,
    locking_bucket,
    s3_session,
    s3_settings,
)
from tests.unit.tiering.site import HastyClock, Metadata, Site, metadata_tree, read_all, site
from tests.waiting import until

DAY_MS = 86_400_000
STRICT = {
    "segment.bytes": "1024",
    "archive.object.lock.mode": "compliance",
    "archive.object.lock.ms": str(DAY_MS),
}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


async def url_of(endpoint: str, prefix: str) -> str:
    await locking_bucket(endpoint).close()  # makes it
    return f"s3://{LOCKING_BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1&path_style=true"


async def trickle(running: Site, partition: Partition, batches: int) -> bytes:
    """Append so slowly that each batch becomes an object."""
    appended = b""
    for _ in range(batches):
        appended += await running.append(partition, batches=1, batch_bytes=800)
        await running.tiered_to(partition, partition.hot.active.base_offset)
    return appended


async def entries_of(running: Site) -> dict[str, Entry]:
    (archive,) = running.cold.archiver.archives
    assert archive.tiered is not None
    tier = archive.tiered.tier
    root = await tier.root()
    assert root is not None
    rows = (entry_of(root.entries, row) for row in range(len(root.entries)))
    return {each.key(tier.path).text: each for each in rows}


async def test_a_server_keeps_the_locks_of_uploads_and_merges_and_of_nothing_else(
    tmp_path: Path, metadata: Metadata, seaweedfs: str
) -> None:
    settings = {"store.url": await url_of(seaweedfs, "locks")}
    clock = SystemClock()
    async with site(tmp_path / "a", metadata, settings=settings, clock=clock) as running:
        store = running.cold.store
        await LockCheck(store)({}, STRICT)
        partition = await running.open(STRICT)
        appended = await trickle(running, partition, 24)
        await until(lambda: running.cold.stats.merges > 0)
        for key, entry in (await entries_of(running)).items():
            assert (await store.head(object_key(key))).lock == entry.lock
            assert entry.lock is not None
            assert entry.lock.mode is LockMode.COMPLIANCE
            assert entry.lock.until_ms > clock.wall_ms() + DAY_MS - 600_000
        keys = [info.key async for info in list_all(store, "")]
        locked = [key for key in keys if (await store.head(key)).lock is not None]
        assert locked == [key for key in keys if "/seg/" in key]
        assert await read_all(partition) == appended


async def test_what_has_gone_is_hidden_once_its_lock_is_over_and_not_before(
    tmp_path: Path, metadata: Metadata, moto: str
) -> None:
    prefix = f"locks-{tmp_path.name.replace('_', '-')}"
    clock = HastyClock()
    url = await url_of(moto, prefix)
    async with site(tmp_path / "a", metadata, settings={"store.url": url}, clock=clock) as running:
        partition = await running.open(STRICT)
        await trickle(running, partition, 9)
        await until(lambda: running.cold.stats.merges > 0)
        store = running.cold.store
        clock.now_ms += DAY_MS - 1000
        await trickle(running, partition, 2)
        segments = {info.key async for info in list_all(store, "") if "/seg/" in info.key}
        replaced = segments - (await entries_of(running)).keys()
        assert len(replaced) > 1
        clock.now_ms += 3_600_000
        gone = min(replaced)
        async with asyncio.timeout(60):
            while gone in {info.key async for info in list_all(store, gone)}:
                await asyncio.sleep(0.05)
    client = s3_client(s3_settings(moto), session=s3_session())
    found = client.list_object_versions(Bucket=LOCKING_BUCKET, Prefix=f"{prefix}/{gone}")
    assert [each["Key"] for each in found["Versions"]] == [f"{prefix}/{gone}"]
    assert len(found["DeleteMarkers"]) == 1
    client.close()
