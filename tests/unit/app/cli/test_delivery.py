from service.app.cli.delivery import Delivery, Pace
from service.app.cli.target import Refusal


class _Message:
    def __init__(self, partition: int, offset: int) -> None:
        self._at = partition, offset

    def partition(self) -> int:
        return self._at[0]

    def offset(self) -> int:
        return self._at[1]

    def key(self) -> bytes | None:
        return b"k"

    def value(self) -> bytes:
        return b"value"


class _Error:
    def code(self) -> int:
        return 10

    def str(self) -> str:
        return "too large"


def test_the_ranges_hold_all_offsets_that_were_given() -> None:
    delivery = Delivery()
    for partition, offset in [(0, 7), (1, 3), (0, 9), (0, 8)]:
        delivery.take(None, _Message(partition, offset))
    assert delivery.ranges == {0: (7, 9), 1: (3, 3)}
    assert (delivery.records, delivery.bytes) == (4, 24)


def test_the_first_refusal_is_kept_and_all_are_counted() -> None:
    delivery = Delivery()
    delivery.sent = 3
    delivery.take(_Error(), _Message(0, -1), line=7)
    delivery.take(_Error(), _Message(0, -1))
    assert delivery.refusal == Refusal(code=10, text="too large", line=7, size=6)
    assert (delivery.failed, delivery.records, delivery.unknown) == (2, 0, 1)


def test_a_slow_pace_is_one_that_people_can_follow() -> None:
    assert [Pace(rate).is_slow for rate in (None, 10.0, 100_000.0)] == [False, True, False]
