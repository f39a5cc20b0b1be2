"""Which segments leave a full disk first, and which never do."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from everlog.model.errors import EverlogError, RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.errors import StoreUnavailableError
from everlog.stores.memory import MemoryObjectStore
from service.hot.log import HotLog
from service.partition.archive_home import StoreLostError
from service.partition.release_proof import ReleaseProof
from service.partition.tier_pointers import TierPointers
from service.tiering.authority import Authority, ClaimRequest
from tests.simulation.clock import SeededIds
from tests.unit.partition.crowded import KIB, SEGMENTS, UNTIERED, Crowded, crowded
from tests.unit.tiering.site import HastyClock, metadata_tree, read_all, site

EVERYTHING = 1 << 40


def proof_of(
    clock: HastyClock, *, is_known: bool = True, error: EverlogError | None = None
) -> ReleaseProof:
    """Make a proof whose next look fails with an error, and finds the store lost if it says so."""
    known = [is_known]

    async def confirm() -> None:
        await asyncio.sleep(0)
        if error is not None:
            known[0] = isinstance(error, RetriableError)
            raise error

    return ReleaseProof(is_known=lambda: known[0], confirm=confirm, clock=clock)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Crowded]:
    async with crowded(tmp_path) as place:
        yield place


def files(log: HotLog) -> list[str]:
    return sorted(each for each in os.listdir(log.directory) if each.endswith(".log"))


def damage(path: str) -> None:
    Path(path).write_bytes(b"x" * 100)


async def test_the_oldest_segments_of_the_whole_broker_go_first(place: Crowded) -> None:
    old = await place.filled(0, at_ms=1000)
    new = await place.filled(1, at_ms=9000)
    await place.more(old, at_ms=5000)
    await place.archived(old, new)
    first = sum(each.size for each in old.hot.sealed if each.max_timestamp == 1000)
    assert await place.early.release(first) == first
    assert new.hot.local_start == 0
    assert old.hot.segments[0].max_timestamp == 5000
    await place.early.release(EVERYTHING)
    assert (old.hot.local_start, new.hot.local_start) == (old.tiered_end, new.tiered_end)


async def test_no_more_goes_than_is_wanted(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    size = partition.hot.segments[0].size
    assert await place.early.release(1) == size
    assert (place.early.segments, place.early.bytes) == (1, size)
    assert place.early.releasable(1) == size
    assert place.early.releasable(EVERYTHING) == sum(e.size for e in partition.hot.sealed)


async def test_what_was_released_is_read_from_the_archive(place: Crowded) -> None:
    partition = await place.site.open(SEGMENTS)
    appended = await place.more(partition)
    await place.archived(partition)
    await place.early.release(EVERYTHING)
    assert len(files(partition.hot)) == 1
    assert await read_all(partition) == appended


async def test_within_a_partition_offsets_count_and_not_times(place: Crowded) -> None:
    partition = await place.filled(0, at_ms=9000)
    await place.more(partition, at_ms=1000)
    other = await place.filled(1, at_ms=5000)
    await place.archived(partition, other)
    await place.early.release(1)
    assert other.hot.local_start > 0
    assert partition.hot.local_start == 0


@pytest.mark.rule("TIER-11")
async def test_nothing_goes_that_is_not_committed(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    end = partition.tiered_end
    place.switch_off()
    await place.more(partition)
    assert len(partition.hot.sealed) > 4
    await place.early.release(EVERYTHING)
    assert partition.hot.local_start == end
    assert await place.early.release(EVERYTHING) == 0


@pytest.mark.rule("TIER-11")
async def test_nothing_goes_of_a_partition_without_a_tier(place: Crowded) -> None:
    partition = await place.filled(0, config=UNTIERED)
    assert place.early.releasable(EVERYTHING) == 0
    assert await place.early.release(EVERYTHING) == 0
    assert partition.hot.local_start == 0


@pytest.mark.rule("TIER-11")
async def test_nothing_goes_before_the_store_has_proved_to_be_the_archives(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    (archive,) = place.site.cold.archiver.archives
    archive._local._proof = proof_of(place.clock, is_known=False)
    assert place.early.releasable(EVERYTHING) == 0
    assert await place.early.release(EVERYTHING) == 0
    assert await archive.release_early(Offset(1 << 40)) == []
    assert partition.hot.local_start == 0


@pytest.mark.rule("TIER-56")
@pytest.mark.parametrize("is_early", [True, False])
async def test_nothing_goes_once_a_restore_has_taken_the_store(
    place: Crowded, *, is_early: bool
) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    (archive,) = place.site.cold.archiver.archives
    archive._local._proof = proof_of(place.clock, error=StoreLostError("taken"))
    assert place.early.releasable(EVERYTHING) > 0
    if is_early:
        assert await place.early.release(EVERYTHING) == 0
    else:
        archive.config = replace(archive.config, local_retention_ms=0)
        await archive.free_disk()
    assert partition.hot.local_start == 0
    assert place.early.releasable(EVERYTHING) == 0


@pytest.mark.rule("TIER-11")
async def test_nothing_goes_of_a_partition_that_is_closed_during_the_look(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    (archive,) = place.site.cold.archiver.archives
    archive._local._proof = proof_of(place.clock)
    releasing = asyncio.create_task(archive.release_early(Offset(EVERYTHING)))
    await asyncio.sleep(0)
    await place.site.cold.archiver.close(partition.id)
    assert await releasing == []
    assert partition.hot.local_start == 0


@pytest.mark.rule("TIER-35")
@pytest.mark.parametrize("is_early", [True, False])
async def test_what_was_archived_goes_while_the_store_is_away(
    place: Crowded, *, is_early: bool
) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    (archive,) = place.site.cold.archiver.archives
    archive._local._proof = proof_of(place.clock, error=StoreUnavailableError("list", "-", "down"))
    if is_early:
        await place.early.release(EVERYTHING)
    else:
        archive.config = replace(archive.config, local_retention_ms=0)
        await archive.free_disk()
    assert partition.hot.local_start == partition.tiered_end > 0


@pytest.mark.rule("TIER-11")
async def test_nothing_goes_of_a_partition_that_somebody_else_has_claimed(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    authority = Authority(
        TierPointers(place.site.metadata.store), clock=HastyClock(), ids=SeededIds(5)
    )
    await authority.claim(
        ClaimRequest(partition=partition.id, epoch=LeaderEpoch(7), start=Offset(0), may_begin=True)
    )
    await place.more(partition)
    (archive,) = place.site.cold.archiver.archives
    async with asyncio.timeout(20):
        while not archive.is_fenced:
            await asyncio.sleep(0.005)
    assert await place.early.release(EVERYTHING) == 0
    assert await archive.release_early(Offset(1 << 40)) == []


async def test_the_active_segment_stays_and_an_empty_one_keeps_the_last_sealed(
    place: Crowded,
) -> None:
    partition = await place.filled(0)
    partition.hot.roll()
    await place.more(partition, batches=0)
    await place.archived(partition)
    await place.early.release(EVERYTHING)
    last = partition.hot.sealed[-1]
    assert partition.hot.local_start == last.base_offset
    assert files(partition.hot) == [f"{last.base_offset:020d}.log"]


async def test_a_restart_knows_the_age_of_segments_and_where_the_log_begins(
    tmp_path: Path,
) -> None:
    store = MemoryObjectStore(clock=HastyClock())
    async with metadata_tree() as tree:
        async with site(tmp_path, tree, store=store) as first:
            partition = await first.open(SEGMENTS)
            appended = await first.append(partition, batches=64, batch_bytes=1000)
            await first.tiered_to(partition, partition.hot.active.base_offset)
        async with site(tmp_path, tree, store=store) as second:
            partition = await second.open(SEGMENTS, epoch=2)
            assert partition.hot.segments[0].max_timestamp is None
            assert await second.hot.learn_timestamp(partition.hot.segments[0]) == 1000
            (archive,) = second.cold.archiver.archives
            await archive.release_early(Offset(20))
            start = partition.hot.local_start
            assert 0 < start <= 20
        async with site(tmp_path, tree, store=store) as third:
            partition = await third.open(SEGMENTS, epoch=3)
            assert (partition.log_start, partition.hot.local_start) == (0, start)
            assert await read_all(partition) == appended


async def test_a_damaged_index_makes_a_segment_old_and_no_trouble(place: Crowded) -> None:
    partition = await place.filled(0)
    await place.archived(partition)
    segment = partition.hot.segments[0]
    segment.max_timestamp = None
    damage(segment.index_path)
    assert await place.site.hot.learn_timestamp(segment) == -1
    os.unlink(segment.index_path)
    assert await place.site.hot.learn_timestamp(segment) == -1
    assert await place.early.release(16 * KIB) > 0


async def test_one_partition_that_fails_does_not_keep_others_from_giving_room(
    place: Crowded,
) -> None:
    sick, sound = await place.filled(0), await place.filled(1)
    await place.archived(sick, sound)

    async def fail(_: Offset) -> list[object]:
        raise FileNotFoundError("gone")

    archive = next(each for each in place.site.cold.archiver.archives if each.hot is sick.hot)
    archive.release_early = fail  # type: ignore[method-assign, assignment]
    await place.early.release(EVERYTHING)
    assert sick.hot.local_start == 0
    assert sound.hot.local_start > 0
