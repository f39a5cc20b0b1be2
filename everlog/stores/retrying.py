"""Object store that repeats what fails, and knows its own earlier success when it meets it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from crc32c import crc32c as crc32c_of

from everlog.model.buffer import Buffer
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError, RetriableError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.backoff import RetryPolicy, Waits
from everlog.stores.body import BodyPart, body_size
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    is_throttle,
    not_shown_yet,
)
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)

ResultT = TypeVar("ResultT")

OnRetry = Callable[[str, RetriableError, float], None]
"""Called with the operation, why it failed, and how many seconds until it is tried again."""

DEFAULT_POLICY = RetryPolicy()

_COMPARE_BYTES = 8 << 20
"""How much of an object is in memory while it is compared."""


class RetryingObjectStore:
    """Repeats the calls of another store while they fail with a `RetriableError`.

    A policy limits it. What still fails then is raised as it is. A cancelled call is not repeated.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Clock,
        ids: IdSource,
        policy: RetryPolicy = DEFAULT_POLICY,
        on_retry: OnRetry | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._policy = policy
        self._on_retry = on_retry

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        # Known before the first attempt, so that every attempt sends the same bytes or none.
        promised = crc32c_of(body) if crc32c is None else crc32c
        return await self._create(
            key,
            lambda: self._store.create(key, body, crc32c=promised),
            size=len(body),
            crc32c=promised,
        )

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        return await self._create(
            key,
            lambda: self._store.create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
            ),
            size=body_size(parts),
            crc32c=crc32c,
        )

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        await self._repeat("overwrite", lambda: self._store.overwrite(key, body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await self._repeat("read", lambda: self._store.read(key, start, length))

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return await self._repeat("read", lambda: self._store.read_all(key, size_max=size_max))

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        await self._repeat("read", lambda: self._store.read_into(key, start, buffer))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        return await self._repeat(
            "read", lambda: self._store.read_into_file(key, start, length, path)
        )

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return await self._repeat("head", lambda: self._store.head(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return await self._repeat(
            "list", lambda: self._store.list(prefix, start_after=start_after, limit=limit)
        )

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        """Delete objects, repeating only for those that are left and may yet go."""
        attempts = self._attempts("delete")
        left = tuple(keys)
        lasting: dict[ObjectKey, EverlogError] = {}
        while left:
            try:
                await self._store.delete(left)
                break
            except ObjectsNotDeletedError as error:
                left = tuple(k for k, why in error.failures.items() if _may_pass(why))
                lasting |= {k: why for k, why in error.failures.items() if not _may_pass(why)}
                if left and not await attempts.may_repeat(error):
                    raise ObjectsNotDeletedError({**lasting, **error.failures}) from error
            except RetriableError as error:
                if not await attempts.may_repeat(error):
                    raise
        if lasting:
            raise ObjectsNotDeletedError(lasting)

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        return await self._repeat("probe", lambda: self._store.probe(key))

    async def can_lock(self) -> bool:
        return await self._repeat("read", self._store.can_lock)

    def local_path(self, key: ObjectKey) -> str | None:
        return self._store.local_path(key)

    async def close(self) -> None:
        await self._store.close()

    async def _repeat(self, operation: str, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        attempts = self._attempts(operation)
        while True:
            try:
                return await call()
            except RetriableError as error:
                if not await attempts.may_repeat(error):
                    raise

    async def _create(
        self,
        key: ObjectKey,
        call: Callable[[], Awaitable[CreatedObject]],
        *,
        size: int,
        crc32c: int,
    ) -> CreatedObject:
        attempts = self._attempts("create")
        while True:
            try:
                try:
                    return await call()
                except ObjectExistsError:
                    # A repeated create meets its own first attempt; only the content can tell that
                    # from another's.
                    is_repeat = attempts.failures > 0
                    if not is_repeat or not await self._holds(key, size=size, crc32c=crc32c):
                        raise
                    return CreatedObject(key=key, size=size, crc32c=crc32c)
            except RetriableError as error:
                if not await attempts.may_repeat(error):
                    raise

    async def _holds(self, key: ObjectKey, *, size: int, crc32c: int) -> bool:
        """Return whether the store has an object of this size and checksum.

        Raises:
            StoreUnavailableError: It has said that there is one, and does not show it.
        """
        try:
            info = await self.head(key)
            if info.size != size or info.checksum_crc32c is not None:
                return info.size == size and info.checksum_crc32c == crc32c
            held = 0
            for start in range(0, size, _COMPARE_BYTES):
                length = min(_COMPARE_BYTES, size - start)
                held = crc32c_of(await self.read(key, start, length), held)
        except ObjectMissingError as error:
            raise not_shown_yet("create", key) from error
        return held == crc32c

    def _attempts(self, operation: str) -> "_Attempts":
        return _Attempts(
            operation,
            clock=self._clock,
            ids=self._ids,
            policy=self._policy,
            on_retry=self._on_retry,
        )


class _Attempts:
    """The attempts of one call: how many have failed, and whether there is time for another."""

    def __init__(
        self,
        operation: str,
        *,
        clock: Clock,
        ids: IdSource,
        policy: RetryPolicy,
        on_retry: OnRetry | None,
    ) -> None:
        self._operation = operation
        self._clock = clock
        self._ids = ids
        self._policy = policy
        self._waits = Waits(policy)
        self._on_retry = on_retry
        self._started = clock.monotonic()

    @property
    def failures(self) -> int:
        return self._waits.failures

    async def may_repeat(self, error: RetriableError) -> bool:
        """Note a failure and wait; return False at once if the policy allows no further attempt."""
        chance = self._ids.uniform()
        wait = self._waits.after_failure(throttled=is_throttle(error), chance=chance)
        if self.failures == self._policy.attempts_max:
            return False
        deadline_s = self._policy.deadline_s
        if deadline_s is not None and self._clock.monotonic() + wait > self._started + deadline_s:
            return False
        if self._on_retry is not None:
            self._on_retry(self._operation, error, wait)
        await asyncio.sleep(wait)
        return True


def _may_pass(error: EverlogError) -> bool:
    return isinstance(error, RetriableError)
