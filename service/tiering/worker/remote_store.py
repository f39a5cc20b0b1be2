"""The object store as the broker sees it: every call goes to the transfer process."""

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart, FilePart
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import (
    LIST_OBJECTS_MAX,
    CreatedObject,
    ObjectInfo,
    StoreCapabilities,
)
from service.tiering.worker.channel import Answer, Fields
from service.tiering.worker.lock_fields import lock_fields, read_lock

LocalPath = Callable[[ObjectKey], str | None]
"""Where an object lies on this machine; None when it does not."""


class Caller(Protocol):
    """Makes calls to the transfer process, whichever one is running."""

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make a call; see `Channel.call`."""
        ...


class HastyCaller:
    """Makes calls that give up soon: for whoever would rather know than wait."""

    def __init__(self, worker: Caller) -> None:
        self._worker = worker

    async def call(self, op: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make a call; see `Channel.call`."""
        return await self._worker.call(op, {**fields, "hasty": True}, body)


class WorkerObjectStore:
    """An `ObjectStore` over a channel.

    Args:
        worker: Where the calls go.
        local_path: For stores whose objects are local files.
        on_hedge: Told of each slow download that got a second one, and whether that was faster.
    """

    def __init__(
        self,
        worker: Caller,
        *,
        local_path: LocalPath = lambda _: None,
        on_hedge: Callable[[bool], None] | None = None,
    ) -> None:
        self._worker = worker
        self._local_path = local_path
        self._on_hedge = on_hedge

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        fields = {"key": key, "crc32c": crc32c}
        return _created(key, await self._worker.call("create", fields, bytes(body)))

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        places: list[tuple[str | None, int, int]] = []
        body = bytearray()
        for part in parts:
            if isinstance(part, FilePart):
                places.append((_path(part.file), part.position, part.length))
            else:
                places.append((None, len(body), len(part)))
                body += part
        fields = {
            "key": key,
            "parts": places,
            "crc32c": crc32c,
            "storage_class": storage_class.name,
            "lock": lock_fields(lock),
        }
        return _created(key, await self._worker.call("create_from_file", fields, bytes(body)))

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        await self._worker.call("overwrite", {"key": key}, bytes(body))

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        fields = {"key": key, "start": start, "length": length}
        return (await self._worker.call("read", fields))[1]

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        return (await self._worker.call("read_all", {"key": key, "size_max": size_max}))[1]

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        target = memoryview(buffer).cast("B")
        target[:] = await self.read(key, start, len(target))

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        fields = {"key": key, "start": start, "length": length, "path": path}
        found, _ = await self._worker.call("read_into_file", fields)
        if found["is_hedged"] and self._on_hedge is not None:
            self._on_hedge(found["hedge_won"])
        return int(found["crc32c"])

    async def head(self, key: ObjectKey) -> ObjectInfo:
        return _info((await self._worker.call("head", {"key": key}))[0])

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        fields = {"prefix": prefix, "start_after": start_after, "limit": limit}
        found, _ = await self._worker.call("list", fields)
        return [_info(each) for each in found["objects"]]

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        await self._worker.call("delete", {"keys": list(keys)})

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        found, _ = await self._worker.call("probe", {"key": key})
        return StoreCapabilities(**found)

    async def can_lock(self) -> bool:
        found, _ = await self._worker.call("can_lock", {})
        return bool(found["can_lock"])

    def local_path(self, key: ObjectKey) -> str | None:
        return self._local_path(object_key(key))

    async def close(self) -> None:
        """Do nothing: whoever started the worker ends it."""


def _path(file: str | int) -> str:
    """Return how another process of ours can open a file that may have lost its name (Linux)."""
    return f"/proc/{os.getpid()}/fd/{file}" if isinstance(file, int) else file


def _created(key: ObjectKey, answer: Answer) -> CreatedObject:
    return CreatedObject(key=key, size=answer[0]["size"], crc32c=answer[0]["crc32c"])


def _info(fields: Fields) -> ObjectInfo:
    return ObjectInfo(
        key=ObjectKey(fields["key"]),
        size=fields["size"],
        modified_ms=fields["modified_ms"],
        checksum_crc32c=fields["checksum_crc32c"],
        lock=read_lock(fields["lock"]),
    )
