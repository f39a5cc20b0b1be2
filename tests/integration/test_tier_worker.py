"""Tiering through a real transfer process, on files and on S3: nothing is lost, whoever dies."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from service.app.tier_wiring import CACHE_DIR, probe_key
from service.model.broker_config import BrokerConfig
from service.partition.partition import Partition
from tests.contract.object_stores import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
)
from tests.unit.tiering.site import (
    CLUSTER,
    Metadata,
    Site,
    metadata_tree,
    read_all,
    site,
)

MIB = 1 << 20
TOPIC = {"segment.bytes": str(4 * MIB), "local.retention.bytes": str(8 * MIB)}
CACHE = {"remote.cache.bytes": str(8 * MIB), "remote.fetch.range.bytes": str(MIB)}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    # The worker finds them where every S3 client does.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture(params=["file", "moto", "seaweedfs"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"file://{tmp_path}/store"
    endpoint: str = request.getfixturevalue(request.param)
    prefix = tmp_path.name.replace("_", "-")
    return f"s3://{BUCKET}/{prefix}?endpoint={endpoint}&region=us-east-1&path_style=true"


async def append_32_mib(running: Site, partition: Partition) -> bytes:
    return await running.append(partition, batches=256, batch_bytes=MIB // 8)


async def released(partition: Partition) -> None:
    """Wait until only what local retention keeps is on the disk."""
    async with asyncio.timeout(60):
        while partition.hot.size > 12 * MIB or not partition.hot.local_start:
            await asyncio.sleep(0.01)


@pytest.mark.rule("TIER-1")
@pytest.mark.rule("TIER-7")
async def test_most_of_a_log_is_served_from_objects_byte_for_byte(
    tmp_path: Path, metadata: Metadata, url: str
) -> None:
    settings = {"store.url": url, **CACHE}
    async with site(tmp_path / "broker", metadata, settings=settings) as running:
        partition = await running.open(TOPIC)
        appended = await append_32_mib(running, partition)
        await running.tiered_to(partition, partition.hot.active.base_offset)
        await released(partition)
        assert await read_all(partition) == appended
        assert await read_all(partition) == appended
        tiered = running.cold.stats.object_bytes
        assert tiered > 20 * MIB
    async with site(tmp_path / "broker", metadata, settings=settings) as running:
        partition = await running.open(TOPIC, epoch=2)
        assert partition.log_start == 0
        assert await read_all(partition) == appended


@pytest.mark.rule("TIER-9")
@pytest.mark.rule("TIER-22")
async def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, metadata: Metadata, url: str
) -> None:
    settings = {"store.url": url, **CACHE}
    async with site(tmp_path / "broker", metadata, settings=settings) as running:
        partition = await running.open(TOPIC)
        assert running.cold.transfer is not None
        worker = running.cold.transfer.worker
        appending = asyncio.ensure_future(append_32_mib(running, partition))
        kills = 0
        while kills < 3:
            await asyncio.sleep(0.15)
            if worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
                    kills += 1
        appended = await appending
        await running.tiered_to(partition, partition.hot.active.base_offset)
        await released(partition)
        assert worker.restarts >= 1
        assert await read_all(partition) == appended


async def test_what_a_killed_worker_leaves_goes_before_the_next_one_begins(
    tmp_path: Path, metadata: Metadata
) -> None:
    settings = {"store.url": f"file://{tmp_path}/store"}
    async with site(tmp_path / "broker", metadata, settings=settings) as running:
        await running.open(TOPIC)
        assert running.cold.transfer is not None
        worker = running.cold.transfer.worker
        cache = tmp_path / "broker" / CACHE_DIR
        for name in ("a.chunk", "b.chunk-1.part", "c-0.merge"):
            await asyncio.to_thread((cache / name).write_bytes, b"x")
        async with asyncio.timeout(30):
            while worker.pid is None:
                await asyncio.sleep(0.01)
            os.kill(worker.pid, signal.SIGKILL)
            while not worker.restarts or worker.pid is None:
                await asyncio.sleep(0.01)
        assert os.listdir(cache) == ["a.chunk"]


async def test_the_worker_ends_with_its_broker(tmp_path: Path, metadata: Metadata) -> None:
    settings = {"store.url": f"file://{tmp_path}/store"}
    async with site(tmp_path / "broker", metadata, settings=settings) as running:
        assert running.cold.transfer is not None
        worker = running.cold.transfer.worker
        await running.cold.store.list("")
        pid = worker.pid
        assert pid is not None
    async with asyncio.timeout(10):
        while is_alive(pid):
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_start_removes_the_probe_of_a_killed_one(
    tmp_path: Path, metadata: Metadata
) -> None:
    left = tmp_path / "store" / probe_key(CLUSTER, BrokerConfig.of({}).broker_id)
    left.parent.mkdir(parents=True)
    left.write_bytes(b"everlog probe")
    async with site(tmp_path, metadata, settings={"store.url": f"file://{tmp_path}/store"}):
        async with asyncio.timeout(60):
            while left.exists():
                await asyncio.sleep(0.01)
