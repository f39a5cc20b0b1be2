import asyncio
from collections.abc import AsyncIterator

import pytest

from everlog.model.errors import RejectedError, RetriableError
from everlog.model.ids import TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.calls import Claim, CommitCall, OffsetCommit
from service.groups.descriptions import GroupFilter
from service.groups.errors import (
    CoordinatorUnavailableError,
    GroupNotEmptyError,
    GroupNotFoundError,
    GroupTooLargeError,
    InvalidOffsetError,
    OffsetMetadataTooLargeError,
    SubscribedTopicError,
    UnknownMemberError,
)
from service.groups.group_record import encode_group_key
from service.groups.offset_record import decode_offset_value, encode_offset_key
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import GROUP, Hall, open_hall
from tests.unit.groups.stage import SESSION_MS, protocols

T = TopicName("t")
EVERYTHING = GroupFilter.of([], [])
SUBSCRIBED_TO_A = protocols("range", metadata=b"\0\0\0\0\0\1\0\1a\xff\xff\xff\xff")


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    async with open_hall() as hall:
        yield hall


def _groups(hall: Hall) -> list[str]:
    return [line.group_id for line in hall.coordinator.list_groups(EVERYTHING)]


async def test_everything_about_an_offset_comes_back(hall: Hall) -> None:
    topic_id = TopicId(bytes(range(16)))
    wanted = OffsetCommit(
        topic=T,
        partition=3,
        offset=Offset(99),
        leader_epoch=LeaderEpoch(4),
        metadata="nöte",
        topic_id=topic_id,
    )
    call = CommitCall(claim=Claim(""), generation=None, retention_ms=None, offsets=(wanted,))
    assert await hall.coordinator.commit(GROUP, call) == {}
    committed = hall.coordinator.fetch(GROUP)[T][3]
    assert (committed.offset, committed.leader_epoch, committed.metadata) == (99, 4, "nöte")
    assert committed.topic_id == topic_id
    assert committed.committed_ms == hall.clock.wall_ms()


async def test_an_offset_in_the_log_is_what_kafka_would_write(hall: Hall) -> None:
    await hall.commit(("t", 3, 99), retention_ms=1_000)
    ((key, value),) = hall.log.records[0]
    assert key == encode_offset_key(GROUP, T, 3)
    assert value is not None
    assert decode_offset_value(value).expires_ms == hall.clock.wall_ms() + 1_000


@pytest.mark.rule("REL-54")
async def test_offsets_that_cannot_be_kept_do_not_hinder_the_others(hall: Hall) -> None:
    refusals = await hall.commit(("t", 0, 1), ("t", 1, -5))
    assert [type(error) for error in refusals.values()] == [InvalidOffsetError]
    assert hall.committed() == {("t", 0): 1}
    refusals = await hall.commit(("t", 0, 1), metadata="x" * 4_097)
    assert isinstance(refusals[T, 0], OffsetMetadataTooLargeError)


async def test_a_commit_of_nothing_good_writes_nothing_and_leaves_no_group(hall: Hall) -> None:
    await hall.commit(("t", 1, -5))
    assert hall.log.records == {}
    assert _groups(hall) == []


async def test_a_member_cannot_commit_to_a_group_that_does_not_exist(hall: Hall) -> None:
    with pytest.raises(GroupNotFoundError):
        await hall.commit(("t", 0, 1), claim=Claim("m"), generation=1)
    assert _groups(hall) == []


async def test_an_outsider_cannot_commit_to_a_group_with_members(hall: Hall) -> None:
    await hall.stable(1)
    with pytest.raises(UnknownMemberError):
        await hall.commit(("t", 0, 1))


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (RetriableError("no replicas"), CoordinatorUnavailableError),
        (RejectedError("too large"), GroupTooLargeError),
    ],
)
async def test_a_commit_that_is_not_durable_is_not_visible(
    hall: Hall, failure: RetriableError, error: type[Exception]
) -> None:
    hall.log.failure = failure
    with pytest.raises(error):
        await hall.commit(("t", 0, 1))
    assert _groups(hall) == [], "a group that it would have begun is gone again"
    hall.log.failure = None
    await hall.commit(("t", 0, 2))
    assert hall.committed() == {("t", 0): 2}


async def test_commits_take_effect_in_their_order(hall: Hall) -> None:
    hall.log.hold = True
    commits = [hall.start(hall.commit(("t", 0, offset))) for offset in range(10)]
    await hall.settle()
    hall.log.release()
    for commit in commits:
        await commit
    assert hall.committed() == {("t", 0): 9}


# ---- deletion of offsets


async def test_offsets_are_deleted_for_good(hall: Hall) -> None:
    await hall.commit(("t", 0, 1), ("t", 1, 1))
    places = [(T, 0), (T, 5)]
    assert await hall.coordinator.delete_offsets(GROUP, places) == {}
    assert hall.committed() == {("t", 1): 1}
    assert hall.log.records[0][2:] == [(encode_offset_key(GROUP, T, 0), None)]


async def test_offsets_that_are_in_use_are_kept(hall: Hall) -> None:
    await hall.commit(("a", 0, 1), ("b", 0, 1))
    await hall.stable(1, protocols=SUBSCRIBED_TO_A)
    places = [(TopicName("a"), 0), (TopicName("b"), 0)]
    refusals = await hall.coordinator.delete_offsets(GROUP, places)
    assert {place: type(error) for place, error in refusals.items()} == {
        places[0]: SubscribedTopicError
    }
    assert hall.committed() == {("a", 0): 1}


async def test_offsets_of_no_group_cannot_be_deleted(hall: Hall) -> None:
    with pytest.raises(GroupNotFoundError):
        await hall.coordinator.delete_offsets(GROUP, [(T, 0)])


async def test_offsets_that_cannot_be_deleted_stay(hall: Hall) -> None:
    await hall.commit(("t", 0, 1))
    hall.log.failure = RetriableError("no replicas")
    with pytest.raises(CoordinatorUnavailableError):
        await hall.coordinator.delete_offsets(GROUP, [(T, 0)])
    assert hall.committed() == {("t", 0): 1}


# ---- deletion of groups


async def test_a_group_is_deleted_with_all_that_it_had(hall: Hall) -> None:
    (joined,) = await hall.stable(1)
    await hall.commit(("t", 0, 1), claim=Claim(joined.member_id), generation=1)
    hall.coordinator.leave(GROUP, [Claim(joined.member_id)])
    await hall.settle()
    assert await hall.coordinator.delete_groups([GROUP]) == {GROUP: None}
    assert _groups(hall) == []
    latest = dict(hall.log.records[0])
    assert latest[encode_group_key(GROUP)] is None
    assert latest[encode_offset_key(GROUP, T, 0)] is None


async def test_each_group_of_a_list_has_its_own_outcome(hall: Hall) -> None:
    await hall.stable(1)
    await hall.commit(("t", 0, 1), group="simple")
    outcomes = await hall.coordinator.delete_groups([GROUP, "simple", "nobody"])
    assert {name: type(error) for name, error in outcomes.items()} == {
        GROUP: GroupNotEmptyError,
        "simple": type(None),
        "nobody": GroupNotFoundError,
    }


async def test_a_group_that_is_being_deleted_takes_nothing_until_it_is_gone(hall: Hall) -> None:
    await hall.commit(("t", 0, 1))
    hall.log.hold = True
    deletion = hall.start(hall.coordinator.delete_groups([GROUP]))
    await hall.settle()
    with pytest.raises(CoordinatorUnavailableError):
        await hall.commit(("t", 0, 2))
    with pytest.raises(CoordinatorUnavailableError):
        await hall.joining()
    hall.log.release()
    assert await deletion == {GROUP: None}
    hall.log.hold = False
    await hall.commit(("t", 0, 3))
    assert hall.committed() == {("t", 0): 3}


async def test_a_group_that_cannot_be_deleted_goes_on(hall: Hall) -> None:
    await hall.commit(("t", 0, 1))
    hall.log.failure = RetriableError("no replicas")
    outcomes = await hall.coordinator.delete_groups([GROUP])
    assert isinstance(outcomes[GROUP], CoordinatorUnavailableError)
    hall.log.failure = None
    await hall.commit(("t", 0, 2))
    assert hall.committed() == {("t", 0): 2}


async def test_a_commit_that_was_under_way_is_deleted_with_its_group() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.commit(("t", 0, 1))
        log.hold = True
        commit = hall.start(hall.commit(("t", 1, 1)))
        await hall.settle()
        deletion = hall.start(hall.coordinator.delete_groups([GROUP]))
        await hall.settle()
        log.release()
        await commit
        await deletion
        assert _groups(hall) == []
    async with open_hall(log) as hall:
        assert _groups(hall) == []


# ---- expiry


@pytest.mark.rule("KIP-211")
async def test_expired_offsets_are_removed_from_the_log_too() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.commit(("t", 0, 1))
        retention_ms = hall.coordinator._limits.offsets_retention_ms
        await hall.wind(retention_ms - 1)
        await hall.coordinator.expire_offsets()
        assert hall.committed() == {("t", 0): 1}
        await hall.commit(("t", 1, 1))
        await hall.wind(1)
        await hall.coordinator.expire_offsets()
        await hall.settle()
        assert hall.committed() == {("t", 1): 1}
    assert log.records[0][-1] == (encode_offset_key(GROUP, T, 0), None)


async def test_an_empty_group_with_nothing_left_is_removed(hall: Hall) -> None:
    await hall.stable(1)
    await hall.wind(SESSION_MS)
    assert _groups(hall) == [GROUP]
    await hall.coordinator.expire_offsets()
    await hall.settle()
    assert _groups(hall) == []
    assert hall.log.records[0][-1] == (encode_group_key(GROUP), None)


async def test_a_group_with_members_or_promised_ids_is_not_removed(hall: Hall) -> None:
    await hall.stable(1)
    promise = hall.joining(group="promised", member_id_required=True)
    await hall.settle()
    assert promise.exception() is not None
    await hall.coordinator.expire_offsets()
    await hall.settle()
    assert set(_groups(hall)) == {GROUP, "promised"}


async def test_many_offsets_expire_without_keeping_others_waiting(hall: Hall) -> None:
    for group in range(30):
        await hall.commit(*((f"t{topic}", 0, 1) for topic in range(400)), group=f"g{group}")
    await hall.wind(hall.coordinator._limits.offsets_retention_ms)
    await hall.coordinator.expire_offsets()
    await hall.settle()
    assert _groups(hall) == []


async def test_a_group_that_goes_while_offsets_expire_is_let_go(hall: Hall) -> None:
    for group in range(20):
        await hall.commit(*((f"t{topic}", 0, 1) for topic in range(400)), group=f"g{group}")
    promise = hall.joining(group="promised", member_id_required=True)
    await hall.settle()
    assert promise.exception() is not None
    expiry = hall.start(hall.coordinator.expire_offsets())
    await asyncio.sleep(0)
    await hall.wind(SESSION_MS)
    assert "promised" not in _groups(hall)
    await expiry


async def test_an_offset_that_expires_while_it_is_committed_anew_is_kept(hall: Hall) -> None:
    await hall.commit(("t", 0, 1))
    await hall.wind(hall.coordinator._limits.offsets_retention_ms)
    hall.log.hold = True
    commit = hall.start(hall.commit(("t", 0, 2)))
    await hall.settle()
    await hall.coordinator.expire_offsets()
    hall.log.release()
    await commit
    await hall.settle()
    assert hall.committed() == {("t", 0): 2}
