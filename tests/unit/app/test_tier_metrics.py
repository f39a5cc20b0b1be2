"""What the metrics page says of uploads, also while the store is away."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.app.tier_lag import OTHERS, lag_by_topic
from service.app.tier_metrics import tier_metrics
from service.telemetry.metrics import Metric
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import HastyClock, Site, metadata_tree, site

SEGMENTS = {"segment.bytes": str(16 << 10), "remote.object.bytes": str(16 << 10)}


def values(metrics: Iterable[Metric]) -> dict[str, float]:
    """Metrics by their name, and the value of their label behind a colon."""
    return {
        f"{metric.name}:{label}" if metric.label else metric.name: value
        for metric in metrics
        for label, value in metric.values.items()
    }


def page(running: Site) -> dict[str, float]:
    return values(tier_metrics(running.cold, running.table, running.clock))


@pytest.mark.rule("TIER-22")
async def test_the_lag_of_each_topic_is_told_while_the_store_is_away(tmp_path: Path) -> None:
    clock = HastyClock()
    store = FailingStore(MemoryObjectStore(clock=clock), lambda: (None, None))
    working = store.plan
    store.plan = lambda: (StoreUnavailableError("create", "-", "down"), None)
    async with (
        metadata_tree() as metadata,
        site(tmp_path, metadata, store=store, clock=clock) as running,
    ):
        partition = await running.open(SEGMENTS)
        await running.append(partition, batches=64, batch_bytes=1000)
        async with asyncio.timeout(20):
            while not page(running)["everlog_tier_stalled_seconds"]:
                await asyncio.sleep(0.005)
        clock.now_ms += 7000
        found = page(running)
        assert found["everlog_tier_upload_lag_seconds:t"] == 7
        assert found["everlog_tier_lag_seconds"] == 7
        assert found["everlog_tier_upload_lag_bytes:t"] > 32 << 10
        assert found["everlog_tier_upload_retries"] > 0
        assert found["everlog_tier_uploads"] <= 4
        store.plan = working
        await running.tiered_to(partition, partition.hot.active.base_offset)
        after = page(running)
        assert after["everlog_tier_upload_lag_bytes:t"] == 0
        assert after["everlog_tier_uploads"] == after["everlog_tier_upload_bytes"] == 0
        assert after["everlog_tier_commit_conflicts"] == 0


async def test_no_more_than_so_many_topics_are_named(tmp_path: Path) -> None:
    store = MemoryObjectStore(clock=HastyClock())
    async with metadata_tree() as metadata, site(tmp_path, metadata, store=store) as running:
        await running.open(SEGMENTS)
        archives = list(running.cold.archiver.archives)
        assert set(lag_by_topic(archives, running.table, now_ms=0)) == {"t"}
        assert set(lag_by_topic(archives, running.table, now_ms=0, topics_max=0)) == {OTHERS}
