"""A follower begins where the archive ends, with all that a log has to know of what came before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from everlog.model.errors import RetriableError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header
from everlog.records.builder import Producer, Record, build_batch
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.hot.log import HotLog
from service.model.topic_config import TopicConfig
from service.partition.archive_starts import NotArchivedError
from service.partition.partition import Partition
from service.partition.topic_rules import hot_config
from tests.contract.object_stores import FailingStore
from tests.unit.tiering.site import (
    TOPIC,
    HastyClock,
    Metadata,
    Site,
    metadata_tree,
    nothing_fails,
    settled,
    site,
)

SEGMENTS = {
    "segment.bytes": str(16 << 10),
    "remote.object.bytes": str(1 << 20),
    "local.retention.ms": "-2",
}
PARTITION = PartitionId(TOPIC, 0)
PRODUCER_ID = 7


@pytest.fixture
async def metadata() -> AsyncIterator[Metadata]:
    async with metadata_tree() as metadata:
        yield metadata


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryObjectStore(clock=HastyClock()), nothing_fails)


async def empty_log(follower: Site) -> HotLog:
    config = hot_config(TopicConfig.resolve(SEGMENTS))
    return await follower.hot.open(PARTITION, config, term=LeaderEpoch(3))


async def archived(leader: Site) -> Partition:
    """Fill a log in its term 2, an idempotent producer first, and have its segments archived."""
    partition = await leader.open(SEGMENTS, epoch=2)
    batch = build_batch(
        [Record(key=None, value=b"first", timestamp_ms=1000)],
        producer=Producer(producer_id=PRODUCER_ID, epoch=0, base_sequence=0),
    )
    partition.append(batch)
    await settled(partition)
    await leader.append(partition, batches=64, batch_bytes=1000)
    await leader.tiered_to(partition, partition.hot.active.base_offset)
    return partition


async def test_it_begins_at_the_end_of_the_archive_and_knows_what_was_before(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with (
        site(tmp_path / "leader", metadata, store=store) as leader,
        site(tmp_path / "follower", metadata, store=store) as follower,
    ):
        led = await archived(leader)
        hot = await empty_log(follower)
        start = await follower.cold.starts.find(hot)
        assert start.offset == led.tiered_end > 1
        assert start.log_start == 0
        assert list(start.epochs) == [(2, 0)]
        hot = await follower.hot.restart(hot, start, term=LeaderEpoch(3))
        assert (hot.local_start, hot.log_end, hot.log_start) == (start.offset, start.offset, 0)
        again = build_batch(
            [Record(key=None, value=b"first", timestamp_ms=1000)],
            producer=Producer(producer_id=PRODUCER_ID, epoch=0, base_sequence=0),
        )
        assert hot.producers.check(read_header(again)) == 0, "it is the repetition of offset 0"
        assert 0 < follower.cold.starts.bytes_read < led.hot.size


async def test_what_is_not_archived_is_no_place_to_begin(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with (
        site(tmp_path / "leader", metadata, store=store) as leader,
        site(tmp_path / "follower", metadata, store=store) as follower,
    ):
        await leader.metadata.add(PARTITION)
        hot = await empty_log(follower)
        with pytest.raises(NotArchivedError, match="nothing of"):
            await follower.cold.starts.find(hot)


async def test_a_log_that_goes_beyond_the_archive_is_not_begun_anew(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with site(tmp_path / "leader", metadata, store=store) as leader:
        led = await archived(leader)
        with pytest.raises(NotArchivedError, match="ends at"):
            await leader.cold.starts.find(led.hot)


async def test_a_store_that_does_not_answer_is_asked_again(
    tmp_path: Path, metadata: Metadata, store: FailingStore
) -> None:
    async with (
        site(tmp_path / "leader", metadata, store=store) as leader,
        site(tmp_path / "follower", metadata, store=store) as follower,
    ):
        led = await archived(leader)
        hot = await empty_log(follower)
        store.plan = lambda: (StoreUnavailableError("get", "key", "away"), None)
        with pytest.raises(RetriableError):
            await follower.cold.starts.find(hot)
        store.plan = nothing_fails
        assert (await follower.cold.starts.find(hot)).offset == led.tiered_end
        assert hot.log_end == Offset(0), "nothing is done to a log meanwhile"
