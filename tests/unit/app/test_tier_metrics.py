"""What the metrics page says of uploads, also while the store is away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from typing_extensions import override

from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.app.tier_lag import OTHERS, lag_by_topic
from service.app.tier_metrics import tier_metrics
from service.telemetry.metrics import Metric
from service.tiering.uploader import in_process
from tests.contract.object_stores import FailingStore, ResultT
from tests.unit.tiering.site import HastyClock, Site, metadata_tree, nothing_fails, site


class PatientStore(FailingStore):
    """Repeats what fails until it works, as the transfer process does for a minute."""

    @override
    async def _run(self, name: str, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        while self.plan() != nothing_fails():
            await asyncio.sleep(0.01)
        return await super()._run(name, call)


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


@pytest.mark.rule("TIER-22")
@pytest.mark.parametrize("is_read_first", [True, False])
async def test_an_outage_shows_before_the_transfer_process_has_given_up(
    tmp_path: Path, *, is_read_first: bool
) -> None:
    """Whatever fails first: a commit, or the read of the root before an upload."""
    clock = HastyClock()
    memory = MemoryObjectStore(clock=clock)
    hasty, patient = FailingStore(memory, nothing_fails), PatientStore(memory, nothing_fails)
    async with (
        metadata_tree() as metadata,
        site(
            tmp_path, metadata, store=patient, hasty=hasty, seal=in_process(memory), clock=clock
        ) as running,
    ):
        partition = await running.open(SEGMENTS)
        await running.append(partition, batches=64, batch_bytes=1000)
        await running.tiered_to(partition, partition.hot.active.base_offset)
        (archive,) = running.cold.archiver.archives
        assert archive.tiered is not None
        if is_read_first:
            archive.tiered.tier.forget_root()
        hasty.plan = patient.plan = lambda: (StoreUnavailableError("any", "-", "down"), None)
        await running.append(partition, batches=64, batch_bytes=1000)
        async with asyncio.timeout(10):
            while not page(running)["everlog_tier_stalled_seconds"]:
                await asyncio.sleep(0.005)
        hasty.plan = patient.plan = nothing_fails
        await running.tiered_to(partition, partition.hot.active.base_offset)
        assert page(running)["everlog_tier_stalled_seconds"] == 0
