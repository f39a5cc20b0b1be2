import asyncio

import pytest

from everlog.stores.adaptive_limit import CALLS_MAX, AdaptiveObjectStore, CallLimit
from everlog.stores.errors import (
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo
from everlog.stores.s3_settings import S3Settings
from tests.contract.object_stores import FailingStore, SteadyClock

KEY = object_key("a/seg")
SLOW = StoreThrottledError("head", KEY, "SlowDown")


def test_every_thread_of_an_s3_store_may_work() -> None:
    assert S3Settings(bucket="b").threads_max == CALLS_MAX


@pytest.mark.rule("TIER-27")
def test_a_throttle_halves_the_limit_down_to_one() -> None:
    limit = CallLimit(calls=16)
    seen = []
    for _ in range(6):
        limit = limit.after_throttle(limit.cuts)
        seen.append(limit.calls)
    assert seen == [8, 4, 2, 1, 1, 1]


@pytest.mark.rule("TIER-27")
def test_all_calls_of_one_overload_halve_the_limit_once() -> None:
    limit = CallLimit(calls=16)
    for _ in range(16):
        limit = limit.after_throttle(0)
    assert limit.calls == 8
    assert limit.after_throttle(1).calls == 4


@pytest.mark.rule("TIER-27")
def test_a_round_of_answers_adds_one_call_up_to_the_most() -> None:
    limit = CallLimit(calls=4)
    for _ in range(4):
        limit = limit.after_answer()
    assert 4.8 < limit.calls <= 5
    for _ in range(1000):
        limit = limit.after_answer()
    assert limit.calls == CALLS_MAX
    assert limit.after_answer() is limit


class GatedStore(MemoryObjectStore):
    """A store whose ``head`` answers when it is told to, in the order of the calls."""

    def __init__(self) -> None:
        super().__init__(clock=SteadyClock())
        self.calls: list[asyncio.Future[None]] = []

    async def head(self, key: ObjectKey) -> ObjectInfo:  # type: ignore[explicit-override]
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.calls.append(gate)
        await gate
        return await super().head(key)

    @property
    def under_way(self) -> list["asyncio.Future[None]"]:
        return [each for each in self.calls if not each.done()]


@pytest.fixture
async def gated() -> GatedStore:
    store = GatedStore()
    await store.create(KEY, b"x")
    return store


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.rule("TIER-27")
async def test_no_more_calls_than_the_limit_are_under_way_and_all_get_their_turn(
    gated: GatedStore,
) -> None:
    store = AdaptiveObjectStore(gated, limit=CallLimit(calls=4))
    waiting = [asyncio.ensure_future(store.head(KEY)) for _ in range(12)]
    await settled()
    assert len(gated.under_way) == 4
    for gate in gated.under_way:
        gate.set_exception(SLOW)
    await settled()
    assert len(gated.under_way) == 2
    while gated.under_way:
        gated.under_way[0].set_result(None)
        await settled()
        assert len(gated.under_way) <= store.limit.calls
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, ObjectInfo) for each in ended] == [False] * 4 + [True] * 8
    assert 2 < store.limit.calls < 6


async def test_whoever_gives_up_waiting_gives_its_place_away(gated: GatedStore) -> None:
    store = AdaptiveObjectStore(gated, limit=CallLimit(calls=1))
    first, second, third = (asyncio.ensure_future(store.head(KEY)) for _ in range(3))
    await settled()
    second.cancel()
    await settled()
    gated.under_way[0].set_result(None)
    await first
    # It has its place, and gives up before it could use it.
    third.cancel()
    await asyncio.wait([second, third])
    fourth = asyncio.ensure_future(store.head(KEY))
    await settled()
    for gate in gated.under_way:
        gate.set_result(None)
    assert (await fourth).size == 1
    assert second.cancelled()
    assert third.cancelled()


async def test_a_place_that_becomes_free_passes_over_whoever_gives_up_at_that_moment(
    gated: GatedStore,
) -> None:
    store = AdaptiveObjectStore(gated, limit=CallLimit(calls=1))
    first, second, third = (asyncio.ensure_future(store.head(KEY)) for _ in range(3))
    await settled()
    gated.under_way[0].set_result(None)
    second.cancel()
    await settled()
    assert (await first).size == 1
    gated.under_way[0].set_result(None)
    assert (await third).size == 1
    assert second.cancelled()


async def test_whoever_gives_up_a_call_gives_its_place_away(gated: GatedStore) -> None:
    store = AdaptiveObjectStore(gated, limit=CallLimit(calls=1))
    first, second = (asyncio.ensure_future(store.head(KEY)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    gated.under_way[-1].set_result(None)
    assert (await second).size == 1


@pytest.mark.rule("TIER-27")
@pytest.mark.rule("TIER-47")
async def test_only_throttling_lowers_the_limit_and_that_is_told() -> None:
    told: list[float] = []
    failing = FailingStore(MemoryObjectStore(clock=SteadyClock()), lambda: (None, None))
    store = AdaptiveObjectStore(failing, on_cut=lambda limit: told.append(limit.calls))
    failing.plan = lambda: (StoreUnavailableError("head", KEY, "down"), None)
    with pytest.raises(StoreUnavailableError):
        await store.head(KEY)
    failing.plan = lambda: (None, None)
    with pytest.raises(ObjectMissingError):
        await store.head(KEY)
    assert told == []
    failing.plan = lambda: (ObjectsNotDeletedError({KEY: SLOW}), None)
    with pytest.raises(ObjectsNotDeletedError):
        await store.delete([KEY])
    assert told == [CALLS_MAX / 2]
    for _ in range(9):
        with pytest.raises(ObjectsNotDeletedError):
            await store.delete([KEY])
    assert told == [8, 4, 2, 1]
