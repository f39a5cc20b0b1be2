"""Each fault by itself: what an S3 store makes of it, for every kind of call."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import pytest
from crc32c import crc32c
from typing_extensions import override

from everlog.model.errors import CorruptionError
from everlog.stores.backoff import RetryPolicy
from everlog.stores.errors import ObjectExistsError, ObjectMissingError
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.retrying import RetryingObjectStore
from everlog.stores.s3 import S3ObjectStore
from tests.contract.object_stores import SeededIds, SteadyClock, s3_store
from tests.fault.fault_plan import FaultPlan
from tests.fault.fault_proxy import Fault, FaultProxy, fault_proxy

ResultT = TypeVar("ResultT")

BODY = bytes(range(256)) * 16
LARGE_BODY = BODY * (10 << 8)
PART_BYTES = 5 << 20
HASTY = RetryPolicy(throttled_wait_s_min=0.001, throttled_wait_s_max=0.01)
SETTLED = [kind for kind in Fault if kind is not Fault.STALE_LIST]
OF_PARTS = {
    Fault.LOST,
    Fault.RESET_REQUEST,
    Fault.FLIP_PUT,
    Fault.ERROR_IN_200,
    Fault.ERROR_IN_200_DONE,
    Fault.NO_SUCH_UPLOAD,
}
HANGS = {Fault.HANG, Fault.HANG_DONE}
PATIENCE_S, HASTE_S = 5.0, 0.3
TOLD = {Fault.CUT, Fault.FLIP_GET, Fault.MISSING}
"""Whoever reads has to look again; all else the store settles by itself."""


class OnceForEachCall(FaultPlan[Fault]):
    """Lets the first request of each kind fail that can meet one fault."""

    def __init__(self, kind: Fault) -> None:
        super().__init__()
        self._kind = kind
        self._met: set[tuple[Fault, ...]] = set()

    @override
    def choose(self, possible: Sequence[Fault], *, times: float = 1.0) -> Fault | None:
        if not self.is_on or self._kind not in possible:
            return None
        met = tuple(kind for kind in possible if kind is not Fault.MISSING)
        if met in self._met:
            return None
        self._met.add(met)
        self.injected[self._kind] += 1
        return self._kind


@pytest.fixture(scope="module")
def proxy(seaweedfs: str) -> Iterator[FaultProxy]:
    with fault_proxy(seaweedfs, FaultPlan()) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stores(proxy: FaultProxy) -> Iterator[dict[float, S3ObjectStore]]:
    """Give two stores by their patience; making a client takes longer than most tests here."""
    made = {
        patience_s: s3_store(
            proxy.endpoint,
            prefix="each-fault/",
            read_timeout_s=patience_s,
            multipart_bytes_min=2 * PART_BYTES,
            part_bytes=PART_BYTES,
        )
        for patience_s in (PATIENCE_S, HASTE_S)
    }
    yield made
    for each in made.values():
        asyncio.run(each.close())


@pytest.mark.rule("TIER-7")
@pytest.mark.rule("TIER-17")
@pytest.mark.rule("TIER-26")
@pytest.mark.rule("TIER-53")
@pytest.mark.parametrize("kind", SETTLED, ids=lambda kind: kind.name.lower())
async def test_a_call_that_meets_a_fault_ends_as_if_there_had_been_none(
    proxy: FaultProxy, stores: dict[float, S3ObjectStore], kind: Fault
) -> None:
    s3 = stores[HASTE_S if kind in HANGS else PATIENCE_S]
    store = RetryingObjectStore(s3, clock=SteadyClock(), ids=SeededIds(), policy=HASTY)
    folder = f"{kind.name.lower()}/"
    small, large, gone = (object_key(f"{folder}{name}") for name in ("small", "large", "gone"))
    bodies = {small: BODY, large: LARGE_BODY if kind in OF_PARTS else BODY * 2}
    proxy.follow(plan := OnceForEachCall(kind))
    for key, body in (*bodies.items(), (gone, BODY)):
        await _created(store, key, body)
    await _right(kind, lambda: store.read_all(small, size_max=1 << 20), BODY)
    await _right(kind, lambda: store.read(large, 1000, 4000), bodies[large][1000:5000])
    await _right(kind, lambda: _size(store, large), len(bodies[large]))
    await store.delete([gone])
    await _right(kind, lambda: _size(store, gone), None)
    assert [info.key for info in await store.list(folder)] == [large, small]
    proxy.follow(FaultPlan())
    for key, body in bodies.items():
        assert await store.read_all(key, size_max=len(body)) == body
    assert plan.injected[kind] > 0


async def _created(store: RetryingObjectStore, key: ObjectKey, body: bytes) -> None:
    """Create an object as those do who know that nobody else has the name."""
    for _ in range(3):
        try:
            await store.create(key, body, crc32c=crc32c(body))
        except ObjectExistsError:
            with suppress(ObjectMissingError):
                if (await store.head(key)).checksum_crc32c == crc32c(body):
                    return
        else:
            return
    raise AssertionError(f"{key} was not created")


async def _size(store: RetryingObjectStore, key: ObjectKey) -> int | None:
    try:
        return (await store.head(key)).size
    except ObjectMissingError:
        return None


async def _right(kind: Fault, call: Callable[[], Awaitable[ResultT]], wanted: ResultT) -> None:
    """See that a call brings what is wanted; at the second look if it may be wrong at the first."""
    if kind in TOLD:
        try:
            if await call() == wanted:
                return
        except (CorruptionError, ObjectMissingError):
            pass  # the next look is right
    assert await call() == wanted


async def test_a_stale_listing_lacks_what_is_new_and_shows_what_is_gone(
    proxy: FaultProxy, stores: dict[float, S3ObjectStore]
) -> None:
    store = stores[PATIENCE_S]
    new, gone = object_key("stale/new"), object_key("stale/gone")
    proxy.follow(OnceForEachCall(Fault.STALE_LIST))
    await store.create(new, BODY)
    await store.create(gone, BODY)
    await store.delete([gone])
    assert [info.key for info in await store.list("stale/")] == [gone]
    assert [info.key for info in await store.list("stale/")] == [new]
