"""An object store that fails in every way that the port admits, as a seeded plan says."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from typing import TypeVar

from crc32c import crc32c as crc32c_of

from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart, FilePart
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreCorruptionError,
    StoreThrottledError,
    StoreUnavailableError,
)
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    ObjectStore,
    StoreCapabilities,
)
from everlog.stores.received import into_file
from tests.fault.fault_plan import FaultPlan

ResultT = TypeVar("ResultT")

FRESH_CALLS = 40
"""For so many calls a new object may be missing, and a listing may not know what was done."""


class StoreFault(Enum):
    THROTTLED = auto()
    UNAVAILABLE = auto()
    """Nothing was done."""
    LOST = auto()
    """All was done, and the answer was lost."""
    FLIPPED = auto()
    """A bit of what was read is wrong."""
    CUT = auto()
    """What was read ends early, and the store does not notice where it keeps no checksum."""
    SPOILED = auto()
    """Other bytes were stored than were sent, and that was noticed."""
    EXISTS = auto()
    """A create is told that the name is taken; it is not."""
    MISSING = auto()
    """A new object is not there for some calls."""
    STALE = auto()
    """A listing omits what is new, and shows what was deleted."""
    PARTLY = auto()
    """Half of some objects were deleted."""


ANY = (StoreFault.THROTTLED, StoreFault.UNAVAILABLE, StoreFault.LOST)


class FaultyStore:
    """Another store behind a `FaultPlan`; with a plan that is empty it is that store."""

    def __init__(self, store: ObjectStore, plan: FaultPlan[StoreFault]) -> None:
        self._store = store
        self._plan = plan
        self._calls = 0
        self._created: dict[ObjectKey, int] = {}
        self._deleted: dict[ObjectKey, tuple[int, ObjectInfo]] = {}
        self._hidden: dict[ObjectKey, int] = {}

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        promised = crc32c_of(body) if crc32c is None else crc32c
        return await self._create(
            key, [body], lambda: self._store.create(key, body, crc32c=promised)
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
            parts,
            lambda: self._store.create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class, lock=lock
            ),
        )

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        fault = self._choose("overwrite", key, ANY)
        await self._end(fault, "overwrite", key, lambda: self._store.overwrite(key, body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        return await self._read(key, lambda: self._store.read(key, start, length))

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return await self._read(
            key, lambda: self._store.read_all(key, size_max=size_max), may_end_early=True
        )

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        target = memoryview(buffer).cast("B")
        target[:] = await self.read(key, start, len(target))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        data = await self.read(key, start, length)
        return await asyncio.to_thread(into_file, (piece for piece in (data,)), path)

    async def head(self, key: ObjectKey) -> ObjectInfo:
        fault = self._choose("head", key, (*ANY, StoreFault.MISSING))
        return await self._end(fault, "head", key, lambda: self._store.head(key))

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        fault = self._choose("list", prefix, (*ANY, StoreFault.STALE))
        found = await self._end(
            fault,
            "list",
            prefix,
            lambda: self._store.list(prefix, start_after=start_after, limit=limit),
        )
        if fault is not StoreFault.STALE:
            return found
        seen = {info.key: info for info in found if not self._is_fresh(info.key)}
        gone = {key: info for key, (at, info) in self._deleted.items() if self._is_recent(at)}
        seen |= {
            key: info
            for key, info in gone.items()
            if key.startswith(prefix) and key > (start_after or "")
        }
        return [seen[key] for key in sorted(seen)[:limit]]

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        possible = (*ANY, StoreFault.PARTLY) if len(keys) > 1 else ANY
        fault = self._choose("delete", keys[0] if keys else "", possible)
        there = {info.key: info for info in await self._store.list("", limit=1 << 30)}
        done = keys[: len(keys) // 2] if fault is StoreFault.PARTLY else keys
        await self._end(fault, "delete", keys[0] if keys else "", lambda: self._store.delete(done))
        for key in set(done) & there.keys():
            self._deleted[key] = (self._calls, there[key])
        if fault is StoreFault.PARTLY:
            slow = StoreThrottledError("delete", keys[-1], "SlowDown")
            raise ObjectsNotDeletedError(dict.fromkeys(keys[len(done) :], slow))

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        fault = self._choose("probe", key, ANY)
        return await self._end(fault, "probe", key, lambda: self._store.probe(key))

    async def can_lock(self) -> bool:
        return await self._store.can_lock()

    def local_path(self, key: ObjectKey) -> str | None:
        return self._store.local_path(key)

    async def close(self) -> None:
        await self._store.close()

    async def _create(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        call: Callable[[], Awaitable[CreatedObject]],
    ) -> CreatedObject:
        fault = self._choose("create", key, (*ANY, StoreFault.SPOILED, StoreFault.EXISTS))
        if fault is StoreFault.EXISTS:
            raise ObjectExistsError(key)
        created = await self._end(fault, "create", key, call)
        self._created[key] = self._calls
        if fault is StoreFault.SPOILED:
            body = await asyncio.to_thread(_bytes_of, parts)
            if body:
                await self._store.overwrite(key, self._plan.flipped(body))
                raise StoreCorruptionError("create", key, "the store has other bytes")
        return created

    async def _read(
        self, key: ObjectKey, call: Callable[[], Awaitable[bytes]], *, may_end_early: bool = False
    ) -> bytes:
        faults = (*ANY, StoreFault.FLIPPED, StoreFault.CUT, StoreFault.MISSING)
        fault = self._choose("read", key, faults)
        data = await self._end(fault, "read", key, call)
        if data and fault is StoreFault.FLIPPED:
            return self._plan.flipped(data)
        if fault is StoreFault.CUT:
            if may_end_early:
                return data[: len(data) // 2]
            raise StoreUnavailableError("read", key, "the answer ends early")
        return data

    def _choose(
        self, operation: str, key: str, possible: Sequence[StoreFault]
    ) -> StoreFault | None:
        self._calls += 1
        name = ObjectKey(key)
        if self._plan.is_on and operation in {"read", "head"} and self._hidden.get(name, 0):
            self._hidden[name] -= 1
            raise ObjectMissingError(name)
        if not self._is_fresh(name):
            possible = [each for each in possible if each is not StoreFault.MISSING]
        fault = self._plan.choose(possible)
        if fault is StoreFault.MISSING:
            self._hidden[name] = self._plan.random.randrange(3)
            raise ObjectMissingError(name)
        return fault

    async def _end(
        self,
        fault: StoreFault | None,
        operation: str,
        key: str,
        call: Callable[[], Awaitable[ResultT]],
    ) -> ResultT:
        if fault is StoreFault.THROTTLED:
            raise StoreThrottledError(operation, key, "SlowDown")
        if fault is StoreFault.UNAVAILABLE:
            raise StoreUnavailableError(operation, key, "it does not answer")
        result = await call()
        if fault is StoreFault.LOST:
            if operation == "create":
                self._created[ObjectKey(key)] = self._calls
            raise StoreUnavailableError(operation, key, "the answer was lost")
        return result

    def _is_fresh(self, key: ObjectKey) -> bool:
        return self._is_recent(self._created.get(key, -FRESH_CALLS))

    def _is_recent(self, call: int) -> bool:
        return self._calls - call < FRESH_CALLS


def _bytes_of(parts: Sequence[BodyPart]) -> bytes:
    pieces = []
    for part in parts:
        if isinstance(part, FilePart):
            with open(part.file, "rb", closefd=isinstance(part.file, str)) as file:
                file.seek(part.position)
                pieces.append(file.read(part.length))
        else:
            pieces.append(bytes(part))
    return b"".join(pieces)
