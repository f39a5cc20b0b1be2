"""A commit is tried until it works, at a pace that the store can bear."""

import pytest

from everlog.model.errors import RejectedError, RetriableError
from everlog.stores.errors import StoreThrottledError, StoreUnavailableError
from service.partition.insistence import insist
from tests.simulation.clock import SeededIds


async def waits_at(error: Exception, *, failures: int) -> list[float]:
    """Return how long is waited after each of some failures."""
    waits: list[float] = []

    async def back_off(seconds: float) -> None:
        waits.append(seconds)

    async def call() -> str:
        if len(waits) < failures:
            raise error
        return "done"

    assert await insist(call, ids=SeededIds(1), back_off=back_off, partition="p") == "done"
    return waits


@pytest.mark.parametrize(
    ("error", "low", "high"),
    [
        (StoreUnavailableError("create", "k", "down"), 0.05, 0.1),
        (StoreThrottledError("create", "k", "slow down"), 0.5, 1.0),
    ],
)
async def test_a_store_that_throttles_is_asked_less_often(
    error: RetriableError, low: float, high: float
) -> None:
    first, second, _ = await waits_at(error, failures=3)
    assert low <= first <= high
    assert 2 * low <= second <= 2 * high


async def test_what_does_not_pass_is_raised() -> None:
    with pytest.raises(RejectedError):
        await waits_at(RejectedError("no"), failures=1)
