"""What ``/readyz`` says while the archive takes nothing."""

import asyncio
from pathlib import Path

import pytest

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.app.readiness import (
    ARCHIVE_STALL_SECONDS_MAX,
    METADATA_SILENCE_SECONDS_MAX,
    readiness,
)
from service.net.admin_http import Answer
from service.partition.disk_pressure import DiskLevel
from service.partition.table import PartitionTable
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Site, metadata_tree, site

SEGMENTS = {"segment.bytes": str(16 << 10)}


def answer(
    running: Site,
    *,
    seconds_later: float = 0.0,
    is_ready: bool = True,
    disk: DiskLevel = DiskLevel.CALM,
) -> Answer:
    return readiness(
        is_ready=is_ready,
        table=running.table,
        home=None,
        archives=running.cold.archiver.archives,
        disk=disk,
        now=running.clock.monotonic() + seconds_later,
    )


@pytest.mark.rule("TIER-22")
async def test_a_stalled_archive_is_named_and_does_not_take_the_broker_out_of_service(
    tmp_path: Path,
) -> None:
    store = FailingStore(MemoryObjectStore(clock=HastyClock()), lambda: (None, None))
    working = store.plan
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    async with metadata_tree() as metadata, site(tmp_path, metadata, store=store) as running:
        partition = await running.open(SEGMENTS)
        await running.append(partition, batches=64, batch_bytes=1000)
        async with asyncio.timeout(20):
            while not any(each.stalled_since for each in running.cold.archiver.archives):
                await asyncio.sleep(0.005)
        assert answer(running).body == b"ok\n"
        later = answer(running, seconds_later=ARCHIVE_STALL_SECONDS_MAX + 1)
        assert later.status == 200
        assert later.body.startswith(b"ok\ndegraded: uploads of t-0 have failed")
        store.plan = working
        await running.tiered_to(partition, partition.hot.active.base_offset)
        assert answer(running, seconds_later=ARCHIVE_STALL_SECONDS_MAX + 1).body == b"ok\n"
        assert answer(running, is_ready=False).status == 503


async def test_a_full_disk_is_named_and_consumers_are_served(tmp_path: Path) -> None:
    store = MemoryObjectStore(clock=HastyClock())
    async with metadata_tree() as metadata, site(tmp_path, metadata, store=store) as running:
        assert answer(running, disk=DiskLevel.RELEASE).body == b"ok\n"
        slowed = answer(running, disk=DiskLevel.THROTTLE)
        assert slowed.status == 200
        assert b"degraded: the local disk is above log.local.disk.high" in slowed.body
        refused = answer(running, disk=DiskLevel.REFUSE)
        assert refused.status == 200
        assert b"degraded: the local disk is above log.local.disk.critical" in refused.body


async def test_a_silent_zookeeper_is_named_and_clients_are_served() -> None:
    def answered(silent_seconds: float) -> Answer:
        return readiness(
            is_ready=True,
            table=PartitionTable(),
            home=None,
            archives=(),
            disk=DiskLevel.CALM,
            now=0.0,
            metadata_silent_seconds=silent_seconds,
        )

    assert answered(METADATA_SILENCE_SECONDS_MAX).body == b"ok\n"
    degraded = answered(METADATA_SILENCE_SECONDS_MAX + 1)
    assert degraded.status == 200
    assert degraded.body.startswith(b"ok\ndegraded: no ZooKeeper has answered for 11 seconds")
