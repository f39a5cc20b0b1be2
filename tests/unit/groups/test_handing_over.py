"""A coordinator hands in what is durable of all its groups, or nothing at all."""

import asyncio

import pytest

from everlog.format.cut import CutOffset
from everlog.model.errors import RetriableError
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.errors import CoordinatorLoadingError
from service.groups.handing_over import OFFSETS_PER_TURN
from tests.unit.groups.fakes import FakeOffsetsLog
from tests.unit.groups.hall import commit_call, open_hall


async def test_the_offsets_of_all_groups_are_handed_in_by_topic() -> None:
    async with open_hall(FakeOffsetsLog(3)) as hall:
        await hall.commit(("a", 1, 5), ("a", 0, 4), ("b", 0, 6), group="one", metadata="noted")
        await hall.commit(("a", 0, 7), group="two", retention_ms=900)
        found = await hall.coordinator.hand_over()
    assert found.partitions == {0, 1, 2}
    assert found.groups == {
        "one": {
            "a": [
                CutOffset(0, Offset(4), None, "noted", None),
                CutOffset(1, Offset(5), None, "noted", None),
            ],
            "b": [CutOffset(0, Offset(6), None, "noted", None)],
        },
        "two": {"a": [CutOffset(0, Offset(7), None, "", 900)]},
    }


async def test_what_is_not_durable_yet_is_not_handed_in() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        await hall.commit(("a", 0, 4))
        log.hold = True
        waiting = hall.start(hall.coordinator.commit("group", commit_call(("a", 0, 9))))
        await hall.settle()
        found = await hall.coordinator.hand_over()
        assert [row.offset for row in found.groups["group"]["a"]] == [4]
        log.release()
        await waiting


async def test_groups_without_offsets_are_left_out() -> None:
    async with open_hall() as hall:
        await hall.stable()
        assert (await hall.coordinator.hand_over()).groups == {}


async def test_a_coordinator_that_has_not_read_all_hands_in_nothing() -> None:
    log = FakeOffsetsLog(2)
    log.read_failures.append(RetriableError("away"))
    log.reading.clear()
    async with open_hall(log) as hall:
        with pytest.raises(CoordinatorLoadingError):
            await hall.coordinator.hand_over()
        log.reading.set()


async def test_a_partition_that_is_lost_meanwhile_is_not_told_in_part() -> None:
    log = FakeOffsetsLog()
    async with open_hall(log) as hall:
        for number in range(3):
            await hall.commit(
                *(("a", n, 1) for n in range(OFFSETS_PER_TURN)), group=f"group-{number}"
            )
        handing = hall.start(hall.coordinator.hand_over())
        await asyncio.sleep(0)
        log.terms[0] = LeaderEpoch(2)
        hall.coordinator.leadership_changed()
        with pytest.raises(CoordinatorLoadingError):
            await handing
