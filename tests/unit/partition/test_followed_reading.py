"""What consumers read from a follower."""

import pytest

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from everlog.records.batch import walk
from service.model.log import LogSlice, OffsetOutOfRangeError, ReadBounds
from service.partition.errors import StaleLeaderEpochError
from service.partition.followed_reading import FollowedReading
from service.replication.leader import NotReplicaError
from tests.unit.partition.test_follower import TERM, Follower, follower

__all__ = ["follower"]

pytestmark = pytest.mark.rule("KIP-392")


async def read(reading: FollowedReading, offset: int) -> list[int]:
    bounds = ReadBounds(end=reading.high_watermark, bytes_max=1 << 20, at_least_one=True)
    found = reading.read(Offset(offset), bounds)
    records = (found if isinstance(found, LogSlice) else await found).records
    return [header.base_offset for _, header in walk(records)]


async def test_they_read_what_is_known_to_be_committed(follower: Follower) -> None:
    reading = FollowedReading(follower.followed)
    await follower.told(0, 1, 2, high_watermark=2)
    assert (reading.high_watermark, reading.log_end) == (2, 3)
    assert await read(reading, 0) == [0, 1]
    assert await read(reading, 2) == [], "it is there, and may be cut yet"


async def test_those_who_wait_are_woken_when_more_is_committed(follower: Follower) -> None:
    woken: list[int] = []
    await follower.told(0, 1)
    follower.followed.read_waiters.add(lambda: woken.append(1))
    await follower.told(2)
    assert woken == []
    await follower.told(high_watermark=3)
    assert woken == [1]


async def test_those_who_wait_are_woken_when_it_is_no_follower_any_more(follower: Follower) -> None:
    woken: list[int] = []
    follower.followed.read_waiters.add(lambda: woken.append(1))
    await follower.followed.release()
    assert woken == [1]


async def test_what_is_not_on_its_disk_is_out_of_range(follower: Follower) -> None:
    reading = FollowedReading(follower.followed)
    await follower.told(0, 1, high_watermark=2)
    with pytest.raises(OffsetOutOfRangeError):
        await read(reading, 3)


async def test_what_may_be_cut_yet_says_nothing_of_a_readers_log(follower: Follower) -> None:
    """The reader has record 2 of the term that rules; the follower one of a term before."""
    reading = FollowedReading(follower.followed)
    await follower.told(0, 1, 2, term=3, high_watermark=2)
    assert reading.diverging(TERM, 3) is None
    assert reading.diverging(3, 2) is None
    assert reading.diverging(2, 2) == (-1, 0), "such a term has never been"


async def test_a_reader_of_another_term_hears_so(follower: Follower) -> None:
    reading = FollowedReading(follower.followed)
    with pytest.raises(StaleLeaderEpochError):
        reading.check_epoch(TERM - 1)


async def test_nobody_copies_from_it(follower: Follower) -> None:
    reading = FollowedReading(follower.followed)
    assert reading.holding(0) == []
    with pytest.raises(NotReplicaError):
        reading.fetched(NodeId(3), durable_end=Offset(0), local_start=Offset(0), broker_epoch=1)
