"""A broker that only reads is in step with a bucket that others write."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from everlog.format.deletion_mark import DeletionMark
from everlog.model.ids import TopicName
from everlog.stores.errors import StoreUnavailableError
from service.model.log import OffsetOutOfRangeError
from service.partition.archive_follower import SourceGoneError
from service.partition.errors import EpochsNotAtHandError, StaleLeaderEpochError
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from tests.unit.partition.source_bucket import Source, following, one_topic, topic_id
from tests.unit.tiering.site import nothing_fails


def deletion(name: str) -> DeletionMark:
    return DeletionMark(topic_id=topic_id(name), deleted_ms=0, goes_ms=None, version=None)


async def test_a_first_look_reads_no_root_and_shows_every_topic(tmp_path: Path) -> None:
    source = Source()
    await source.mark()
    for name in "abc":
        await source.record(name, partitions=2)
        await source.add(name, 0)
        await source.add(name, 1)
        for number in range(2):
            await source.store.delete(source.maker(name, number).roots)
    async with following(source, tmp_path) as reader:
        await reader.follower.poll()
        assert reader.shown() == {"a": 2, "b": 2, "c": 2}
        assert [each.log_end for each in reader.table.partitions] == [10] * 6


async def test_what_is_archived_later_is_seen_and_wakes_who_waits_for_it(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        assert await reader.read("t", 10) == b""
        woken = asyncio.Event()
        reader.partition("t").read_waiters.add(woken.set)
        await reader.follower.poll()
        assert not woken.is_set()
        await source.add("t")
        await reader.follower.poll()
        assert woken.is_set()
        assert await reader.read("t", 10)
        assert (await reader.read("t"))[:8] == bytes(8)


async def test_a_partition_at_rest_is_looked_at_in_its_turn_even_if_its_hint_was_lost(
    tmp_path: Path,
) -> None:
    async with one_topic(tmp_path) as (source, reader):
        await source.add("t", with_hint=False)
        assert reader.partition("t").log_end == 10
        await reader.polls()
        assert reader.partition("t").log_end == 20


async def test_topics_come_grow_change_and_go(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        gone: list[str] = []

        def note(names: Sequence[str]) -> None:
            gone.extend(names)

        reader.follower.on_deleted(note)
        await source.record("u")
        await reader.follower.poll()
        assert reader.shown() == {"t": 1, "u": 1}
        before = reader.partition("t")
        await source.record("t", partitions=3, version=1, retention_ms=5)
        await reader.follower.poll()
        assert reader.shown() == {"t": 3, "u": 1}
        assert reader.image().topics[TopicName("t")].config == {"retention.ms": "5"}
        assert reader.partition("t") is before
        woken = asyncio.Event()
        before.read_waiters.add(woken.set)
        await source.objects.mark_deleted(deletion("t"), owner=lambda: 0, has_tier=True)
        await reader.follower.poll()
        assert (reader.shown(), gone) == ({"u": 1}, ["t"])
        assert woken.is_set()
        assert reader.table.by_name("t", 0) is None


async def test_a_store_that_is_away_or_empty_takes_nothing_from_what_is_served(
    tmp_path: Path,
) -> None:
    async with one_topic(tmp_path) as (source, reader):
        seen_at = reader.follower.seen_at
        source.failing.plan = lambda: (StoreUnavailableError("list", "-", "down"), None)
        with pytest.raises(StoreUnavailableError):
            await reader.follower.poll()
        source.failing.plan = nothing_fails
        keys = [info.key for info in await source.store.list("")]
        await source.store.delete(keys)
        with pytest.raises(SourceGoneError, match="bring it back"):
            await reader.follower.poll()
        assert reader.shown() == {"t": 1}
        assert reader.partition("t").log_end == 10
        assert reader.follower.seen_at == seen_at


async def test_a_partition_that_cannot_be_read_has_no_leader_and_keeps_no_others_back(
    tmp_path: Path,
) -> None:
    source = Source()
    await source.mark()
    await source.record("t", partitions=2)
    await source.add("t", 0)
    await source.add("t", 1, with_hint=False)
    await source.store.overwrite(source.maker("t", 1).roots[0], b"damaged")
    async with following(source, tmp_path) as reader:
        await reader.follower.poll()
        assert reader.partition("t", 0).log_end == 10
        states = reader.image().topics[TopicName("t")].partitions
        assert states[0].leader == 1
        assert states[1].leader is None
        assert reader.table.by_name("t", 1) is None
        assert reader.follower.damaged_count == 1
        await source.add("t", 1)
        await reader.polls()
        assert reader.partition("t", 1).log_end == 20
        assert reader.image().topics[TopicName("t")].partitions[1].leader == 1
        assert reader.follower.damaged_count == 0


@pytest.mark.rule("TIER-31")
async def test_a_manifest_that_is_gone_makes_a_reader_look_again(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        old = source.maker("t").roots[0]
        await source.add("t", with_hint=False)
        await source.store.delete([old])
        assert await reader.read("t")
        assert reader.partition("t").log_end == 20


async def test_a_later_leader_that_ends_before_a_stored_root_takes_nothing_back(
    tmp_path: Path,
) -> None:
    async with one_topic(tmp_path) as (source, reader):
        maker = source.maker("t")
        committed = maker.fork()
        await source.add("t")
        await reader.polls()
        assert reader.partition("t").log_end == 20
        # Nobody had committed that root: the next leader goes on from the one before.
        source.makers["t", 0] = committed
        committed.claim()
        await committed.add(records=5)
        await source.hint("t")
        await reader.polls()
        assert reader.partition("t").log_end == 20
        await committed.add(records=9)
        await source.hint("t")
        await reader.polls()
        assert reader.partition("t").log_end == 24


async def test_a_restore_to_an_earlier_time_is_followed_back(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        earlier = source.maker("t").fork()
        await source.add("t")
        await reader.polls()
        partition = reader.partition("t")
        later = await reader.read("t", 10)
        epoch = partition.leader_epoch
        await source.take()
        source.makers["t", 0] = earlier
        earlier.epoch += RESTORE_EPOCH_STEP
        earlier.claim()
        await earlier.add(records=3)
        await source.hint("t")
        await reader.polls()
        assert partition.log_end == 13
        assert partition.leader_epoch > epoch
        assert reader.image().topics[TopicName("t")].partitions[0].leader_epoch > epoch
        assert later != await reader.read("t", 10) != b""
        with pytest.raises(StaleLeaderEpochError):
            partition.check_epoch(epoch)
        with pytest.raises(OffsetOutOfRangeError):
            await reader.read("t", 15)


async def test_what_the_old_owner_still_stores_is_no_restore(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        earlier = source.maker("t").fork()
        await source.take()
        await reader.polls()
        source.maker("t").claim()
        await source.add("t")
        await reader.polls()
        assert reader.partition("t").log_end == 20
        source.makers["t", 0] = earlier
        earlier.epoch += RESTORE_EPOCH_STEP
        earlier.claim()
        await earlier.add(records=3)
        await source.hint("t")
        await reader.polls()
        assert reader.partition("t").log_end == 13


@pytest.mark.rule("TIER-31")
async def test_terms_are_told_although_the_known_manifest_is_gone(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        old = source.maker("t").roots[0]
        source.maker("t").claim()
        await source.add("t", with_hint=False)
        await source.store.delete([old])
        await reader.partition("t").load_epochs()
        assert reader.partition("t").end_of_epoch(1) == (1, 10)


async def test_terms_are_told_from_the_lineage_of_the_newest_object(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        source.maker("t").claim()
        await source.add("t")
        await reader.polls()
        partition = reader.partition("t")
        with pytest.raises(EpochsNotAtHandError):
            partition.end_of_epoch(1)
        await partition.load_epochs()
        assert partition.end_of_epoch(1) == (1, 10)
        assert partition.end_of_epoch(2) == (2, 20)
        assert partition.end_of_epoch(3) is None
        assert (partition.epoch_of(9), partition.epoch_of(10)) == (1, 2)


async def test_records_are_found_by_their_time(tmp_path: Path) -> None:
    async with one_topic(tmp_path) as (source, reader):
        source.maker("t").now_ms += 1000
        await source.add("t")
        await reader.polls()
        partition = reader.partition("t")
        found = await partition.find_time(source.maker("t").now_ms, partition.log_end)
        assert found is not None
        assert found.offset == 10
        assert await partition.find_newest(partition.log_end) == found
