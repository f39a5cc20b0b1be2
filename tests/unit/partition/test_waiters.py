"""Those who wait for a partition."""

from everlog.model.errors import EverlogError
from service.partition.errors import NotLeaderError
from service.partition.waiters import AppendWaiters, ReadWaiters


def test_appends_are_acknowledged_in_order_as_the_watermark_rises() -> None:
    waiters, told = AppendWaiters(), list[tuple[int, EverlogError | None]]()
    for end in (3, 5, 5, 9):
        waiters.add(end, lambda error, end=end: told.append((end, error)))
    waiters.reach(2)
    assert told == []
    waiters.reach(5)
    assert told == [(3, None), (5, None), (5, None)]
    gone = NotLeaderError("gone")
    waiters.fail(gone)
    assert told[3:] == [(9, gone)]
    waiters.reach(100)
    assert len(told) == 4


def test_a_reader_is_woken_once_and_comes_back_by_itself() -> None:
    waiters, woken = ReadWaiters(), list[str]()

    def first() -> None:
        woken.append("first")
        waiters.add(first)

    def second() -> None:
        woken.append("second")

    waiters.add(first)
    waiters.add(second)
    waiters.add(second)
    waiters.wake_all()
    waiters.wake_all()
    assert woken == ["first", "second", "first"]
    waiters.discard(first)
    waiters.wake_all()
    assert len(woken) == 3
