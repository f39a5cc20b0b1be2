"""Object store that asks another one no faster than that bears it (TIER-27).

What a store bears is found out as TCP finds out what a network bears: the number of calls under way
grows by one for each round of them that succeeds, and is halved when the store throttles.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from everlog.model.buffer import Buffer
from everlog.model.errors import EverlogError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.errors import is_throttle
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)

ResultT = TypeVar("ResultT")

CALLS_MAX = 16
"""As many as an S3 store has threads (`S3Settings.threads_max`); others would only wait there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimit:
    """How many calls may be under way; pure.

    Attributes:
        calls: The limit with its fraction, from 1 to ``calls_max``.
        cuts: How often it was halved. A call that began before the last cut says nothing about the
            limit since: all calls under way meet one and the same overload.
    """

    calls: float = CALLS_MAX
    calls_max: int = CALLS_MAX
    cuts: int = 0

    def after_answer(self) -> "CallLimit":
        """Return the limit after a call that was not throttled."""
        if self.calls == self.calls_max:
            return self
        calls = min(self.calls + 1 / self.calls, self.calls_max)
        return CallLimit(calls=calls, calls_max=self.calls_max, cuts=self.cuts)

    def after_throttle(self, cuts: int) -> "CallLimit":
        """Return the limit after the throttling of a call that began after so many cuts."""
        if cuts != self.cuts:
            return self
        return CallLimit(calls=max(self.calls / 2, 1), calls_max=self.calls_max, cuts=self.cuts + 1)


class AdaptiveObjectStore:
    """Lets as many calls through to another store as that bears; others wait in their order.

    An upload takes one place, however large it is. Errors pass as they are: repeating is up to
    `RetryingObjectStore`, whose waiting calls take no place.

    Args:
        on_cut: Told of each limit that is lower than the one before.

    Attributes:
        limit: How many may be under way now.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        limit: CallLimit | None = None,
        on_cut: Callable[[CallLimit], None] = lambda _: None,
    ) -> None:
        self.limit = limit or CallLimit()
        self._store = store
        self._on_cut = on_cut
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        return await self._admit(lambda: self._store.create(key, body, crc32c=crc32c))

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        return await self._admit(
            lambda: self._store.create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
            )
        )

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        await self._admit(lambda: self._store.overwrite(key, body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await self._admit(lambda: self._store.read(key, start, length))

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return await self._admit(lambda: self._store.read_all(key, size_max=size_max))

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        await self._admit(lambda: self._store.read_into(key, start, buffer))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        return await self._admit(lambda: self._store.read_into_file(key, start, length, path))

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return await self._admit(lambda: self._store.head(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        return await self._admit(
            lambda: self._store.list(prefix, start_after=start_after, limit=limit)
        )

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        await self._admit(lambda: self._store.delete(keys))

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        return await self._admit(lambda: self._store.probe(key))

    async def can_lock(self) -> bool:
        return await self._admit(self._store.can_lock)

    def local_path(self, key: ObjectKey) -> str | None:
        return self._store.local_path(key)

    async def close(self) -> None:
        await self._store.close()

    async def _admit(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        await self._enter()
        cuts = self.limit.cuts
        try:
            result = await call()
        except EverlogError as error:
            if is_throttle(error):
                self._cut(cuts)
            raise
        else:
            self.limit = self.limit.after_answer()
            return result
        finally:
            self._leave()

    def _cut(self, cuts: int) -> None:
        before, self.limit = self.limit, self.limit.after_throttle(cuts)
        if int(self.limit.calls) < int(before.calls):
            self._on_cut(self.limit)

    async def _enter(self) -> None:
        if not self._waiting and self._has_place:
            self._under_way += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had its place already
                self._leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        while self._waiting and self._has_place:
            turn = self._waiting.popleft()
            if not turn.done():  # whoever was cancelled just now goes by itself
                self._under_way += 1
                turn.set_result(None)

    @property
    def _has_place(self) -> bool:
        return self._under_way < int(self.limit.calls)
