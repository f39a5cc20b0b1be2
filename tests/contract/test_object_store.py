"""The port's promises, on every adapter."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crc32c import crc32c

from everlog.model.object_lock import LockMode, ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.adaptive_limit import AdaptiveObjectStore, CallLimit
from everlog.stores.backoff import RetryPolicy
from everlog.stores.errors import StoreDeniedError
from everlog.stores.filesystem import FilesystemObjectStore
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectStore
from everlog.stores.retrying import RetryingObjectStore
from tests.contract.locking_store import LockingStore
from tests.contract.object_store_contract import KEY, OTHER, ObjectStoreContract
from tests.contract.object_stores import (
    SeededIds,
    SteadyClock,
    class_of,
    locking_bucket,
    s3_store,
    unreliable,
)
from tests.fault.fault_plan import FaultPlan
from tests.fault.faulty_store import FaultyStore

TESTS = itertools.count()
LOCK = ObjectLock(LockMode.COMPLIANCE, 4_000_000_000_000)

IMPATIENT = RetryPolicy(
    transient_wait_s_min=0.0, throttled_wait_s_min=0.0, attempts_max=50, deadline_s=None
)


def open_store(kind: str, request: pytest.FixtureRequest) -> ObjectStore:
    match kind.split("-"):
        case ["memory"]:
            return MemoryObjectStore(clock=SteadyClock())
        case ["filesystem"]:
            root: Path = request.getfixturevalue("tmp_path")
            return FilesystemObjectStore(str(root / "store"))
        case ["s3" | "unsigned" as how]:
            # A prefix for each test: moto forgets nothing.
            return s3_store(
                request.getfixturevalue("moto"),
                prefix=f"test-{next(TESTS)}/",
                signs_bodies=how == "s3",
            )
        case ["locking"]:
            return LockingStore(clock=SteadyClock())
        case ["faulty" | "adaptive" | "unreliable" as how]:
            memory = MemoryObjectStore(clock=SteadyClock())
            return {
                "faulty": lambda: FaultyStore(memory, FaultPlan()),
                "adaptive": lambda: AdaptiveObjectStore(memory, limit=CallLimit(calls=2)),
                "unreliable": lambda: unreliable(memory, seed=7),
            }[how]()
        case ["retrying", inner]:
            return RetryingObjectStore(
                open_store(inner, request), clock=SteadyClock(), ids=SeededIds(), policy=IMPATIENT
            )
        case _:
            raise AssertionError(kind)


@pytest.fixture(
    params=[
        "memory",
        "filesystem",
        "s3",
        "locking",
        "faulty",
        "adaptive",
        "retrying-memory",
        "retrying-filesystem",
        "retrying-unsigned",
        "retrying-unreliable",
    ]
)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    opened = open_store(request.param, request)
    yield opened
    await opened.close()


class TestObjectStore(ObjectStoreContract):
    @pytest.mark.parametrize("page", [1, 2, 1000])
    async def test_names_sort_by_bytes(self, store: ObjectStore, page: int) -> None:
        keys = [
            object_key(f"p/{name}") for name in ("a-b/1", "a.b", "a/1", "a0", "a=b", "A", "a_b")
        ]
        await asyncio.gather(*(store.create(key, b"") for key in keys))
        listed: list[str] = []
        while batch := await store.list("p/", start_after=listed[-1] if listed else "", limit=page):
            listed += [info.key for info in batch]
        assert listed == sorted(keys)

    async def test_a_listing_may_begin_after_any_text(self, store: ObjectStore) -> None:
        for name in ("a/1", "b/10/x", "b/11/x", "b/2/x"):
            await store.create(object_key(name), b"")
        after = {"": 4, "a/0": 4, "a/11": 3, "b/": 3, "b/11": 2, "b/11/": 2, "b/11~": 1, "b0": 0}
        found = {text: len(await store.list("", start_after=text)) for text in after}
        assert found == after


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
async def test_a_listing_goes_beyond_a_thousand_objects(
    kind: str, request: pytest.FixtureRequest
) -> None:
    store = open_store(kind, request)
    keys = [object_key(f"p/{n:04d}") for n in range(1003)]
    await asyncio.gather(*(store.overwrite(key, b"") for key in keys))
    listed = [info.key for info in await store.list("p/", limit=2000)]
    assert listed == keys
    assert [info.key for info in await store.list("p/")] == keys[:1000]
    await store.delete(keys)
    await store.close()


@pytest.mark.parametrize("kind", ["memory", "filesystem", "retrying-filesystem"])
async def test_a_store_without_classes_refuses_one_and_stores_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    store = open_store(kind, request)
    with pytest.raises(StoreDeniedError, match=r"only buckets have storage classes.*store\.url"):
        await store.create_from_file(KEY, [b"x"], crc32c=1, storage_class=StorageClass.GLACIER_IR)
    assert await store.list("") == []
    await store.close()


@pytest.mark.parametrize("kind", ["memory", "filesystem", "retrying-filesystem"])
async def test_a_store_without_locks_refuses_one_and_stores_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    store = open_store(kind, request)
    assert not await store.can_lock()
    with pytest.raises(StoreDeniedError, match=r"Object Lock.*archive\.object\.lock\.mode=none"):
        await store.create_from_file(KEY, [b"x"], crc32c=1, lock=LOCK)
    assert await store.list("") == []
    await store.close()


@pytest.mark.parametrize("mode", LockMode)
@pytest.mark.parametrize("kind", ["locking", "bucket"])
async def test_what_is_locked_says_so_and_nothing_else_is(
    kind: str, mode: LockMode, request: pytest.FixtureRequest
) -> None:
    lock = ObjectLock(mode, LOCK.until_ms)
    store: ObjectStore = LockingStore(clock=SteadyClock())
    if kind == "bucket":
        store = locking_bucket(request.getfixturevalue("moto"))
    store = RetryingObjectStore(AdaptiveObjectStore(store), clock=SteadyClock(), ids=SeededIds())
    key = object_key(f"{KEY}-{next(TESTS)}")
    other = object_key(f"{OTHER}-{next(TESTS)}")
    assert await store.can_lock()
    body = b"a segment"
    await store.create_from_file(key, [body], crc32c=crc32c(body), lock=lock)
    await store.create(other, b"a page")
    assert (await store.head(key)).lock == lock
    assert (await store.head(other)).lock is None
    await store.close()


async def test_a_bucket_without_object_lock_says_so_and_refuses_locks(moto: str) -> None:
    store = s3_store(moto, prefix=f"test-{next(TESTS)}/")
    assert not await store.can_lock()
    with pytest.raises(StoreDeniedError, match=r"a bucket with Object Lock"):
        await store.create_from_file(KEY, [b"x"], crc32c=crc32c(b"x"), lock=LOCK)
    assert await store.list("") == []
    await store.close()


@pytest.mark.parametrize("part_bytes", [5 << 20, 64 << 20])
@pytest.mark.parametrize("storage_class", StorageClass)
async def test_a_bucket_is_told_the_class_at_once_and_in_parts(
    moto: str, storage_class: StorageClass, part_bytes: int
) -> None:
    prefix = f"test-{next(TESTS)}/"
    sizes = {"part_bytes": part_bytes, "multipart_bytes_min": part_bytes}
    store = RetryingObjectStore(
        AdaptiveObjectStore(s3_store(moto, prefix=prefix, **sizes)),
        clock=SteadyClock(),
        ids=SeededIds(),
    )
    body = b"x" * (6 << 20)
    made = await store.create_from_file(
        KEY, [body], crc32c=crc32c(body), storage_class=storage_class
    )
    assert made.size == len(body)
    await store.create(OTHER, b"a page")
    assert await class_of(moto, prefix + KEY) == storage_class.name
    assert await class_of(moto, prefix + OTHER) == "STANDARD"
    await store.close()
