"""Terms of leadership: what is loaded, what is let go, and what a restart finds."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from everlog.model.errors import CorruptionError, RetriableError
from everlog.model.offsets import LeaderEpoch
from service.groups.calls import Claim
from service.groups.descriptions import GroupFilter
from service.groups.errors import (
    CoordinatorLoadingError,
    CoordinatorUnavailableError,
    IllegalGenerationError,
    NotCoordinatorError,
)
from service.groups.limits import GroupLimits
from service.groups.partitioning import group_partition
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import GROUP, Hall, open_hall
from tests.unit.groups.stage import SESSION_MS, join_call

EVERYTHING = GroupFilter.of([], [])


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    async with open_hall() as hall:
        yield hall


def _state(hall: Hall, group: str = GROUP) -> str | None:
    description = hall.coordinator.describe(group)
    return None if description is None else description.state


async def test_a_broker_that_does_not_lead_says_so() -> None:
    log = FakeOffsetsLog(partitions=50)
    del log.terms[group_partition(GROUP, 50)]
    async with open_hall(log) as hall:
        with pytest.raises(NotCoordinatorError):
            await hall.commit(("t", 0, 1))
        with pytest.raises(NotCoordinatorError):
            hall.coordinator.describe(GROUP)


async def test_nobody_coordinates_before_the_offsets_topic_exists() -> None:
    async with open_hall(FakeOffsetsLog(partitions=None)) as hall:
        with pytest.raises(NotCoordinatorError):
            await hall.coordinator.join(GROUP, join_call())


async def test_a_partition_that_is_being_read_is_loading() -> None:
    log = FakeOffsetsLog()
    log.reading.clear()
    async with open_hall(log) as hall:
        with pytest.raises(CoordinatorLoadingError):
            hall.coordinator.fetch(GROUP)
        with pytest.raises(CoordinatorLoadingError):
            hall.coordinator.list_groups(EVERYTHING)
        log.reading.set()
        await hall.settle()
        assert hall.coordinator.fetch(GROUP) == {}


async def test_a_partition_that_cannot_be_read_just_now_is_read_again() -> None:
    log = FakeOffsetsLog()
    log.read_failures.extend([RetriableError("away"), RetriableError("away")])
    async with open_hall(log) as hall:
        async with asyncio.timeout(5):
            while True:
                try:
                    assert hall.coordinator.fetch(GROUP) == {}
                    break
                except CoordinatorLoadingError:
                    await asyncio.sleep(0.001)


async def test_a_partition_with_damaged_records_is_not_served() -> None:
    log = FakeOffsetsLog()
    log.records[0] = [(b"\0\1garbage", b"")]
    async with open_hall(log) as hall:
        with pytest.raises(CoordinatorUnavailableError):
            hall.coordinator.fetch(GROUP)
        assert hall.coordinator.list_groups(EVERYTHING) == []
    log.records[0] = []
    log.read_failures.append(CorruptionError("torn"))
    async with open_hall(log) as hall:
        with pytest.raises(CoordinatorUnavailableError):
            await hall.commit(("t", 0, 1))


async def test_who_waits_is_sent_on_when_leadership_is_lost(hall: Hall) -> None:
    (joined,) = await hall.stable(1)
    hall.log.hold = True
    waiting = [
        hall.joining(),
        hall.start(hall.commit(("t", 0, 1), claim=Claim(joined.member_id), generation=1)),
    ]
    await hall.settle()
    assert hall.coordinator.waiting_calls == 2
    del hall.log.terms[0]
    hall.coordinator.leadership_changed()
    for task in waiting:
        with pytest.raises(NotCoordinatorError):
            await task
    assert hall.coordinator.waiting_calls == 0
    hall.log.release()
    await hall.settle()


async def test_a_new_term_begins_with_what_is_in_the_log(hall: Hall) -> None:
    await hall.commit(("t", 0, 7))
    hall.log.terms[0] = LeaderEpoch(2)
    with pytest.raises(CoordinatorLoadingError):
        hall.coordinator.fetch(GROUP)
    await hall.settle()
    assert hall.committed() == {("t", 0): 7}


async def test_a_late_answer_of_an_older_term_is_ignored(hall: Hall) -> None:
    hall.log.hold = True
    commit = hall.start(hall.commit(("t", 0, 7)))
    await hall.settle()
    hall.log.terms[0] = LeaderEpoch(2)
    hall.coordinator.leadership_changed()
    with pytest.raises(NotCoordinatorError):
        await commit
    await hall.settle()
    hall.log.release()
    await hall.settle()
    assert hall.committed() == {}, "what the new term read did not hold it yet"


async def test_a_deletion_of_an_older_term_is_ignored_too(hall: Hall) -> None:
    await hall.commit(("t", 0, 7))
    hall.log.hold = True
    deletion = hall.start(hall.coordinator.delete_groups([GROUP]))
    await hall.settle()
    hall.log.terms[0] = LeaderEpoch(2)
    hall.coordinator.leadership_changed()
    assert isinstance((await deletion)[GROUP], NotCoordinatorError)
    await hall.settle()
    hall.log.release()
    await hall.settle()
    assert hall.committed() == {("t", 0): 7}


async def test_all_who_wait_are_answered_when_the_coordinator_stops() -> None:
    async with open_hall() as hall:
        await hall.stable(1)
        newcomer = hall.joining()
        await hall.settle()
    with pytest.raises(NotCoordinatorError):
        await newcomer


# ---- restarts


async def test_groups_and_offsets_are_the_same_after_a_restart() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        first, second = await hall.stable()
        await hall.commit(
            ("t", 0, 5), ("t", 1, 6), claim=Claim(first.member_id), generation=1, metadata="note"
        )
        before = hall.coordinator.describe(GROUP), dict(hall.coordinator.fetch(GROUP))
    async with open_hall(log) as hall:
        assert (hall.coordinator.describe(GROUP), dict(hall.coordinator.fetch(GROUP))) == before
        hall.coordinator.heartbeat(GROUP, Claim(second.member_id), 1)
        assert (await hall.syncing(second)).assignment == second.member_id.encode()


async def test_an_offset_that_was_durable_when_the_broker_died_is_there() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.commit(("t", 0, 1))
        log.hold = True
        commit = hall.start(hall.commit(("t", 0, 2)))
        await hall.settle()
        assert hall.committed() == {("t", 0): 1}, "only what is durable is visible"
        log.release(acknowledge=False)
        await hall.settle()
        assert not commit.done()
    assert commit.exception() is not None
    log.hold = False
    async with open_hall(log) as hall:
        assert hall.committed() == {("t", 0): 2}


async def test_a_generation_whose_assignment_was_not_stored_never_was() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        (leader,) = await hall.stable(1)
        again = await hall.joining(leader.member_id)
        assert again.generation == 2
    async with open_hall(log) as hall:
        with pytest.raises(IllegalGenerationError):
            hall.coordinator.heartbeat(GROUP, Claim(leader.member_id), 2)
        hall.coordinator.heartbeat(GROUP, Claim(leader.member_id), 1)


async def test_a_group_above_its_limit_rebalances_when_it_is_read() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.stable(3)
    limits = GroupLimits(initial_rebalance_delay_ms=0, group_size_max=2)
    async with open_hall(log, limits) as hall:
        assert _state(hall) == "PreparingRebalance"


async def test_sessions_go_on_after_a_restart() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.stable()
    async with open_hall(log) as hall:
        assert _state(hall) == "Stable"
        await hall.wind(SESSION_MS)
        assert _state(hall) == "Empty"
