"""The global budget of request bytes."""

from service.net.budget import InflightBudget


class Socket:
    def __init__(self) -> None:
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.pauses -= 1


def test_whoever_goes_beyond_the_limit_pauses_until_there_is_room() -> None:
    budget = InflightBudget(bytes_max=100)
    first, second = Socket(), Socket()
    budget.take(60, first)
    budget.take(60, second)
    assert (first.pauses, second.pauses) == (0, 1)
    budget.take(10, second)
    assert second.pauses == 1
    budget.give(20)
    assert second.pauses == 1
    budget.give(10)
    assert (first.pauses, second.pauses) == (0, 0)
    assert budget.used == 100


def test_a_connection_that_is_gone_is_not_resumed() -> None:
    budget = InflightBudget(bytes_max=10)
    gone = Socket()
    budget.take(20, gone)
    budget.forget(gone)
    budget.give(20)
    assert gone.pauses == 1
