"""Bytes a second, on average."""

from service.tiering.byte_budget import ByteBudget


def test_the_first_work_begins_at_once_and_the_next_when_it_is_paid_for() -> None:
    budget = ByteBudget(bytes_per_second=10)
    assert budget.wait_s(30, 100.0) == 0
    assert budget.wait_s(10, 101.0) == 2.0
    assert budget.wait_s(10, 101.0) == 3.0


def test_what_was_not_used_is_not_saved_up() -> None:
    budget = ByteBudget(bytes_per_second=10)
    assert budget.wait_s(10, 100.0) == 0
    assert budget.wait_s(10, 500.0) == 0
    assert budget.wait_s(10, 500.0) == 1.0
