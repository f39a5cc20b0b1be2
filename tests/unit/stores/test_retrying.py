from collections import deque
from collections.abc import Sequence

import pytest
from crc32c import crc32c

from everlog.model.errors import RetriableError
from everlog.stores.backoff import RetryPolicy
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreDeniedError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.memory import MemoryObjectStore
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo
from everlog.stores.retrying import RetryingObjectStore
from tests.contract.object_stores import FailingStore, SeededIds, SteadyClock

KEY = object_key("a/seg")
BODY = b"everlog " * 4
GONE = StoreUnavailableError("create", KEY, "the answer was lost")
SLOW = StoreThrottledError("create", KEY, "SlowDown")
NO_WAIT = RetryPolicy(transient_wait_s_min=0.0, throttled_wait_s_min=0.0)

Plan = tuple[Exception | None, Exception | None]


class ForgetfulStore(MemoryObjectStore):
    """A store that keeps no checksums, as a directory does."""

    async def head(self, key: ObjectKey) -> ObjectInfo:  # type: ignore[explicit-override]
        info = await super().head(key)
        return ObjectInfo(
            key=key, size=info.size, modified_ms=info.modified_ms, checksum_crc32c=None
        )


class Tried:
    """A retrying store over one that fails by a plan, and what it did."""

    def __init__(
        self,
        *plan: Plan,
        policy: RetryPolicy = NO_WAIT,
        memory: type[MemoryObjectStore] = MemoryObjectStore,
    ) -> None:
        self.clock = SteadyClock()
        self.objects = memory(clock=self.clock)
        self.plan = deque(plan)
        self.failing = FailingStore(
            self.objects, plan=lambda: self.plan.popleft() if self.plan else (None, None)
        )
        self.retries: list[tuple[str, RetriableError, float]] = []
        self.store = RetryingObjectStore(
            self.failing,
            clock=self.clock,
            ids=SeededIds(),
            policy=policy,
            on_retry=lambda *retry: self.retries.append(retry),
        )


def store_types() -> Sequence[type[MemoryObjectStore]]:
    return [MemoryObjectStore, ForgetfulStore]


@pytest.mark.rule("TIER-9")
@pytest.mark.rule("TIER-17")
@pytest.mark.parametrize("memory", store_types())
@pytest.mark.parametrize("error", [GONE, SLOW])
async def test_a_create_that_meets_its_own_success_has_succeeded(
    memory: type[MemoryObjectStore], error: RetriableError
) -> None:
    tried = Tried((None, error), memory=memory)
    created = await tried.store.create(KEY, BODY)
    assert (created.key, created.size, created.crc32c) == (KEY, len(BODY), crc32c(BODY))
    assert tried.failing.calls[:3] == ["create", "create", "head"]
    tried = Tried((None, error), memory=memory)
    await tried.store.create_from_file(KEY, [BODY, BODY], crc32c=crc32c(BODY * 2))
    assert await tried.store.read_all(KEY, size_max=100) == BODY * 2


@pytest.mark.rule("TIER-9")
@pytest.mark.parametrize("memory", store_types())
@pytest.mark.parametrize("other", [b"shorter", BODY[:-1] + b"!"])
async def test_a_create_that_meets_the_object_of_another_has_failed(
    memory: type[MemoryObjectStore], other: bytes
) -> None:
    tried = Tried((GONE, None), memory=memory)
    await tried.objects.create(KEY, other)
    with pytest.raises(ObjectExistsError):
        await tried.store.create(KEY, BODY)
    assert await tried.objects.read_all(KEY, size_max=100) == other


async def test_a_first_create_that_finds_the_name_taken_asks_no_further() -> None:
    tried = Tried()
    await tried.objects.create(KEY, BODY)
    with pytest.raises(ObjectExistsError):
        await tried.store.create(KEY, BODY)
    assert tried.failing.calls == ["create"]


class BlinkingStore(MemoryObjectStore):
    """A store that does not show a new object at the first look."""

    looks = 0

    async def head(self, key: ObjectKey) -> ObjectInfo:  # type: ignore[explicit-override]
        self.looks += 1
        if self.looks == 1:
            raise ObjectMissingError(key)
        return await super().head(key)


@pytest.mark.rule("TIER-9")
async def test_a_create_waits_until_the_object_that_took_its_name_is_shown() -> None:
    tried = Tried((None, GONE), memory=BlinkingStore)
    assert (await tried.store.create(KEY, BODY)).crc32c == crc32c(BODY)
    assert tried.failing.calls == ["create", "create", "head", "create", "head"]


async def test_comparing_is_repeated_like_everything_else() -> None:
    tried = Tried((None, GONE), (None, None), (GONE, None), (SLOW, None), memory=ForgetfulStore)
    await tried.store.create(KEY, BODY)
    assert tried.failing.calls == ["create", "create", "head", "head", "head", "read"]


async def test_an_empty_object_is_its_own() -> None:
    tried = Tried((None, GONE), memory=ForgetfulStore)
    assert (await tried.store.create(KEY, b"")).crc32c == 0


async def test_only_what_may_pass_is_repeated() -> None:
    denied = StoreDeniedError("head", KEY, "check the credentials")
    tried = Tried((GONE, None), (denied, None))
    with pytest.raises(StoreDeniedError):
        await tried.store.head(KEY)
    with pytest.raises(ObjectMissingError):
        await tried.store.head(KEY)
    assert tried.failing.calls == ["head"] * 3


async def test_attempts_are_counted_and_reported() -> None:
    tried = Tried(*[(GONE, None)] * 9, policy=RetryPolicy(attempts_max=3, transient_wait_s_min=0.0))
    with pytest.raises(StoreUnavailableError):
        await tried.store.list("")
    assert tried.failing.calls == ["list"] * 3
    assert [(operation, error) for operation, error, _ in tried.retries] == [("list", GONE)] * 2


async def test_a_deadline_ends_the_attempts() -> None:
    tried = Tried(
        *[(GONE, None)] * 9, policy=RetryPolicy(deadline_s=60.0, transient_wait_s_min=0.0)
    )

    def pass_time(*_: object) -> None:
        tried.clock.now_s += 25.0

    tried.store._on_retry = pass_time
    with pytest.raises(StoreUnavailableError):
        await tried.store.read(KEY, 0, 1)
    assert tried.failing.calls == ["read"] * 4


@pytest.mark.rule("TIER-27")
async def test_a_throttle_waits_by_its_own_measure() -> None:
    tried = Tried(
        (SLOW, None),
        (GONE, None),
        policy=RetryPolicy(transient_wait_s_min=0.0, throttled_wait_s_min=0.002),
    )
    await tried.store.overwrite(KEY, BODY)
    (_, _, throttled), (_, _, transient) = tried.retries
    assert 0.001 <= throttled <= 0.002
    assert transient == 0.0


class Deleting(MemoryObjectStore):
    """A store whose deletes fail for some keys as a plan says."""

    def __init__(self, *plan: dict[str, Exception]) -> None:
        super().__init__(clock=SteadyClock())
        self.plan = deque(plan)
        self.asked: list[Sequence[str]] = []

    async def delete(self, keys: Sequence[ObjectKey]) -> None:  # type: ignore[explicit-override]
        self.asked.append(keys)
        failures = self.plan.popleft() if self.plan else {}
        await super().delete([key for key in keys if key not in failures])
        if failures:
            raise ObjectsNotDeletedError(failures)  # type: ignore[arg-type]


@pytest.mark.rule("TIER-47")
async def test_a_delete_is_repeated_for_what_is_left() -> None:
    denied = StoreDeniedError("delete", "b", "Object Lock")
    objects = Deleting({"a": SLOW, "b": denied, "c": GONE}, {"c": GONE})
    store = RetryingObjectStore(objects, clock=SteadyClock(), ids=SeededIds(), policy=NO_WAIT)
    keys = [object_key(name) for name in "abcd"]
    for key in keys:
        await objects.create(key, b"")
    with pytest.raises(ObjectsNotDeletedError) as caught:
        await store.delete(keys)
    assert caught.value.failures == {"b": denied}
    assert [list(asked) for asked in objects.asked] == [["a", "b", "c", "d"], ["a", "c"], ["c"]]
    assert [info.key for info in await objects.list("")] == ["b"]


async def test_a_delete_that_gives_up_says_what_is_left() -> None:
    denied = StoreDeniedError("delete", "b", "Object Lock")
    objects = Deleting({"a": SLOW, "b": denied}, {"a": SLOW})
    policy = RetryPolicy(attempts_max=2, throttled_wait_s_min=0.0)
    store = RetryingObjectStore(objects, clock=SteadyClock(), ids=SeededIds(), policy=policy)
    with pytest.raises(ObjectsNotDeletedError) as caught:
        await store.delete([object_key(name) for name in "abc"])
    assert caught.value.failures == {"a": SLOW, "b": denied}


async def test_a_delete_of_which_nothing_is_known_is_repeated_whole() -> None:
    tried = Tried((None, GONE))
    await tried.objects.create(KEY, BODY)
    await tried.store.delete([KEY, object_key("b")])
    assert tried.failing.calls == ["delete", "delete"]
