"""A follower takes from the archive what its leader has there, and nothing else waits for it."""

import asyncio
from dataclasses import replace

import pytest

from everlog.model.errors import CorruptionError, EverlogError
from everlog.model.offsets import Offset
from everlog.stores.errors import ObjectMissingError, StoreUnavailableError
from everlog.stores.object_key import object_key
from service.partition.follower import ARCHIVE_FAILURES_MAX
from service.replication.fetching import FetchAnswer, FetchAsk, FetchFault
from tests.unit.partition.test_replica_fetching import Place, next_one, nothing, place

__all__ = ["place"]


def archived(ask: FetchAsk) -> FetchAnswer:
    return replace(nothing(ask), fault=FetchFault.ARCHIVED, local_start=Offset(40))


def archived_as_well(ask: FetchAsk) -> FetchAnswer:
    return replace(archived(ask), local_start=Offset(0))


@pytest.mark.rule("KIP-405")
async def test_what_the_leader_has_in_the_archive_only_is_not_copied(place: Place) -> None:
    followed = await place.new(0)
    await place.asks()
    place.reply(archived)
    place.archive.ends.put_nowait(50)
    (ask,) = await place.asks()
    assert (ask.offset, ask.last_epoch, ask.local_start) == (50, 1, 50)
    assert (followed.hot.log_end, followed.hot.log_start, followed.high_watermark) == (50, 0, 50)
    assert (place.fetching.archive_starts, place.fetching.bytes_copied) == (1, 0)


@pytest.mark.rule("KIP-405")
async def test_other_partitions_go_on_while_the_archive_is_asked(place: Place) -> None:
    await place.new(0)
    await place.asks()
    await place.new(1)
    place.reply(archived)
    await place.archive.asked.get()
    for number in range(3):
        (ask,) = await place.asks()
        assert (ask.partition.partition, ask.offset) == (1, number)
        place.reply(next_one)


@pytest.mark.rule("KIP-405")
async def test_an_archive_that_does_not_answer_is_asked_again(place: Place) -> None:
    await place.new(0)
    await place.asks()
    place.reply(archived)
    place.archive.ends.put_nowait(StoreUnavailableError("get", "key", "away"))
    (ask,) = await place.asks()
    assert ask.offset == 0, "nothing has happened to the log"
    place.reply(archived)
    place.archive.ends.put_nowait(50)
    (ask,) = await place.asks()
    assert ask.offset == 50
    assert place.broken == []


@pytest.mark.rule("KIP-1023")
@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailableError("get", "key", "away"),
        ObjectMissingError(object_key("key")),
        CorruptionError("damaged"),
    ],
)
async def test_what_the_leader_has_as_well_is_copied_where_the_archive_stays_away(
    place: Place, error: EverlogError
) -> None:
    followed = await place.new(0)
    for _ in range(ARCHIVE_FAILURES_MAX):
        (ask,) = await place.asks()
        assert ask.skips_archived
        place.reply(archived_as_well)
        place.archive.ends.put_nowait(error)
    (ask,) = await place.asks()
    assert (ask.offset, ask.skips_archived) == (0, False)
    place.reply(next_one)
    await place.asks()
    assert followed.hot.log_end == 1
    assert place.broken == []


@pytest.mark.rule("KIP-405")
async def test_a_damaged_archive_is_told_and_the_partition_left(place: Place) -> None:
    followed = await place.new(0)
    await place.asks()
    place.reply(archived)
    place.archive.ends.put_nowait(CorruptionError("damaged"))
    while not place.broken:
        await asyncio.sleep(0)
    assert place.fetching.get(followed.id) is None


@pytest.mark.rule("REL-T2")
async def test_an_answer_of_the_archive_that_comes_in_another_term_is_passed_over(
    place: Place,
) -> None:
    followed = await place.new(0)
    await place.asks()
    place.reply(archived)
    await place.archive.asked.get()
    await followed.release()
    place.archive.ends.put_nowait(50)
    while place.fetching.archive_starts == 0:
        await asyncio.sleep(0)
    assert followed.hot.log_end == 0
