from collections.abc import Hashable
from random import Random

import pytest

from service.tiering.upload_queue import Ticket, UploadLimits, UploadQueue

MIB = 1 << 20


class Line:
    """A queue whose clock the test moves."""

    def __init__(self, **limits: float | None) -> None:
        self.queue = UploadQueue(UploadLimits(**limits))  # type: ignore[arg-type]
        self.now = 100.0

    def ask(self, partition: Hashable, *, size: int = MIB, since_ms: int = 0) -> Ticket:
        return self.queue.ask(partition, size=size, since_ms=since_ms, now=self.now)

    def next(self) -> list[Hashable]:
        return [each.partition for each in self.queue.admitted(self.now)]


def test_whoever_has_waited_longest_for_an_upload_goes_first() -> None:
    line = Line(uploads_max=2)
    for partition, since_ms in (("a", 30), ("b", 10), ("c", 20)):
        line.ask(partition, since_ms=since_ms)
    assert line.next() == ["b", "c"]


@pytest.mark.rule("TIER-39")
def test_a_partition_far_behind_takes_what_others_leave_and_no_more() -> None:
    line = Line(uploads_max=4)
    for _ in range(4):
        line.ask("behind", since_ms=1)
    line.ask("fresh", since_ms=1000)
    assert line.next() == ["behind", "fresh", "behind", "behind"]


@pytest.mark.rule("TIER-39")
def test_nobody_is_kept_out_for_ever_by_others_whose_records_are_older() -> None:
    line = Line(uploads_max=1, aging_seconds=60.0)
    waiting = line.ask("young", since_ms=1000)
    served = 0
    while waiting in line.queue.waiting:
        line.ask("old", since_ms=0)
        for ticket in line.queue.admitted(line.now):
            line.queue.leave(ticket)
        line.now += 1.0
        served += 1
        assert served < 100
    assert served >= 60


@pytest.mark.rule("TIER-39")
def test_a_large_object_is_waited_for_though_small_ones_would_fit() -> None:
    line = Line(uploads_max=10, bytes_max=10 * MIB)
    first = line.ask("a", size=6 * MIB)
    assert line.next() == ["a"]
    line.ask("large", size=8 * MIB, since_ms=1)
    line.ask("small", size=MIB, since_ms=2)
    assert line.next() == []
    line.queue.leave(first)
    assert line.next() == ["large", "small"]


def test_an_object_larger_than_the_budget_goes_alone() -> None:
    line = Line(bytes_max=10 * MIB)
    huge = line.ask("huge", size=64 * MIB)
    line.ask("small", since_ms=1)
    assert line.next() == ["huge"]
    line.queue.leave(huge)
    assert line.next() == ["small"]


def test_a_rate_spaces_uploads_by_their_size() -> None:
    line = Line(bytes_per_second=MIB)
    for _ in range(3):
        line.ask("a", size=2 * MIB)
    assert line.next() == ["a"]
    assert line.queue.free_at == line.now + 2
    line.now += 1.9
    assert line.next() == []
    line.now += 0.2
    assert line.next() == ["a"]
    line.now += 60
    assert line.next() == ["a"], "what was not used is not saved up"
    assert line.queue.free_at is None


def test_whoever_leaves_makes_room_also_when_it_had_not_begun() -> None:
    line = Line(uploads_max=1)
    first, second = line.ask("a"), line.ask("b")
    assert line.next() == ["a"]
    line.queue.leave(second)
    line.queue.leave(first)
    line.queue.leave(first)
    assert (line.queue.bytes, line.queue.uploads, line.queue.waiting) == (0, set(), set())


@pytest.mark.parametrize("seed", range(20))
def test_limits_hold_and_everybody_is_served(seed: int) -> None:
    random = Random(seed)
    limits = {"uploads_max": 3, "bytes_max": 8 * MIB, "aging_seconds": 20.0}
    line = Line(**limits)
    under_way: list[Ticket] = []
    asked = 0
    for _ in range(2000):
        line.now += 0.5
        if random.random() < 0.45:
            line.ask(random.randrange(5), size=random.randrange(10 * MIB), since_ms=asked)
            asked += 1
        under_way += line.queue.admitted(line.now)
        assert len(under_way) <= 3
        assert sum(each.size for each in under_way) <= 8 * MIB or len(under_way) == 1
        assert line.queue.bytes == sum(each.size for each in under_way)
        if under_way and random.random() < 0.8:
            line.queue.leave(under_way.pop(random.randrange(len(under_way))))
        waits = [line.now - each.asked_at for each in line.queue.waiting]
        assert max(waits, default=0) < 200
    while line.queue.waiting or under_way:
        line.now += 0.5
        under_way += line.queue.admitted(line.now)
        line.queue.leave(under_way.pop())
