"""Each fault by itself: what an S3 store makes of it, for every kind of call."""

from collections.abc import Awaitable, Callable, Sequence
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
from tests.contract.object_stores import SeededIds, SteadyClock, s3_store
from tests.fault.fault_plan import FaultPlan
from tests.fault.fault_proxy import Fault, fault_proxy

ResultT = TypeVar("ResultT")

SMALL, LARGE, GONE = (object_key(f"a/{name}") for name in ("small", "large", "gone"))
BODY = bytes(range(256)) * 16
LARGE_BODY = BODY * (11 << 8)
PART_BYTES = 5 << 20
HASTY = RetryPolicy(throttled_wait_s_min=0.001, throttled_wait_s_max=0.01)
SETTLED = [kind for kind in Fault if kind is not Fault.STALE_LIST]
OF_PARTS = {
    Fault.SLOW_DOWN,
    Fault.LOST,
    Fault.RESET_REQUEST,
    Fault.FLIP_PUT,
    Fault.ERROR_IN_200,
    Fault.ERROR_IN_200_DONE,
    Fault.NO_SUCH_UPLOAD,
}
HANGS = {Fault.HANG, Fault.HANG_DONE}
PATIENCE_S = 0.3
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


@pytest.mark.rule("TIER-7")
@pytest.mark.rule("TIER-17")
@pytest.mark.rule("TIER-26")
@pytest.mark.rule("TIER-53")
@pytest.mark.parametrize("kind", SETTLED, ids=lambda kind: kind.name.lower())
async def test_a_call_that_meets_a_fault_ends_as_if_there_had_been_none(
    seaweedfs: str, kind: Fault
) -> None:
    plan = OnceForEachCall(kind)
    bodies = {SMALL: BODY, LARGE: LARGE_BODY if kind in OF_PARTS else BODY * 2}
    with fault_proxy(seaweedfs, plan) as proxy:
        s3 = s3_store(
            proxy.endpoint,
            prefix=f"{kind.name.lower()}/",
            read_timeout_s=PATIENCE_S if kind in HANGS else 5.0,
            multipart_bytes_min=2 * PART_BYTES,
            part_bytes=PART_BYTES,
        )
        store = RetryingObjectStore(s3, clock=SteadyClock(), ids=SeededIds(), policy=HASTY)
        for key, body in (*bodies.items(), (GONE, BODY)):
            await _created(store, key, body)
        await _right(kind, lambda: store.read_all(SMALL, size_max=1 << 20), BODY)
        await _right(kind, lambda: store.read(LARGE, 1000, 4000), bodies[LARGE][1000:5000])
        await _right(kind, lambda: _size(store, LARGE), len(bodies[LARGE]))
        await store.delete([GONE])
        await _right(kind, lambda: _size(store, GONE), None)
        assert [info.key for info in await store.list("a/")] == [LARGE, SMALL]
        plan.is_on = False
        for key, body in bodies.items():
            assert await store.read_all(key, size_max=len(body)) == body
        await store.close()
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


async def test_a_stale_listing_lacks_what_is_new_and_shows_what_is_gone(seaweedfs: str) -> None:
    with fault_proxy(seaweedfs, OnceForEachCall(Fault.STALE_LIST)) as proxy:
        store = s3_store(proxy.endpoint, prefix="stale/")
        await store.create(SMALL, BODY)
        await store.create(GONE, BODY)
        await store.delete([GONE])
        assert [info.key for info in await store.list("a/")] == [GONE]
        assert [info.key for info in await store.list("a/")] == [SMALL]
        await store.close()
