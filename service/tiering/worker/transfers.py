"""What the transfer process does for the broker: one function for each kind of call."""

from collections.abc import Awaitable, Callable
from typing import Any

from everlog.format.checksum import crc32c
from everlog.format.segment_object import SealedSegment
from everlog.format.segment_sections import EpochStart
from everlog.model.errors import RejectedError
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.model.storage_class import StorageClass
from everlog.stores.body import FilePart
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectInfo, ObjectStore
from service.tiering.worker.channel import Answer, Fields
from service.tiering.worker.downloads import Downloads
from service.tiering.worker.lock_fields import lock_fields, read_lock
from service.tiering.worker.merging import merge_objects, merge_order, segment_key
from service.tiering.worker.sealing import SealOrder
from service.tiering.worker.storing import upload_object


class Transfers:
    """Calls on the real store.

    Args:
        store: The real store.
        downloads: Into files, from the same store.
    """

    def __init__(self, store: ObjectStore, *, downloads: Downloads) -> None:
        self._store = store
        self._downloads = downloads
        self._by_op: dict[str, Callable[[Fields, bytes], Awaitable[Answer]]] = {
            "upload": self._upload,
            "merge": self._merge,
            "create": self._create,
            "create_from_file": self._create_from_file,
            "overwrite": self._overwrite,
            "read": self._read,
            "read_all": self._read_all,
            "read_into_file": self._read_into_file,
            "checksum": self._checksum,
            "head": self._head,
            "list": self._list,
            "delete": self._delete,
            "probe": self._probe,
            "can_lock": self._can_lock,
        }

    async def perform(self, op: str, fields: Fields, body: bytes) -> Answer:
        """Do what is asked.

        Raises:
            EverlogError: It cannot be done.
        """
        known = self._by_op.get(op)
        if known is None:
            raise RejectedError(f"the transfer worker knows no call {op!r}")
        return await known(fields, body)

    async def _upload(self, fields: Fields, _: bytes) -> Answer:
        sealed = await upload_object(self._store, seal_order(fields))
        return sealed_fields(sealed), b""

    async def _merge(self, fields: Fields, _: bytes) -> Answer:
        sealed = await merge_objects(self._store, merge_order(fields))
        return sealed_fields(sealed), b""

    async def _create(self, fields: Fields, body: bytes) -> Answer:
        made = await self._store.create(_key(fields), body, crc32c=fields["crc32c"])
        return {"size": made.size, "crc32c": made.crc32c}, b""

    async def _create_from_file(self, fields: Fields, body: bytes) -> Answer:
        view = memoryview(body)
        parts: list[FilePart | memoryview] = []
        for path, position, length in fields["parts"]:
            if path is None:
                parts.append(view[position : position + length])
            else:
                parts.append(FilePart(path, position, length))
        made = await self._store.create_from_file(
            _key(fields),
            parts,
            crc32c=fields["crc32c"],
            storage_class=StorageClass[fields["storage_class"]],
            lock=read_lock(fields["lock"]),
        )
        return {"size": made.size, "crc32c": made.crc32c}, b""

    async def _overwrite(self, fields: Fields, body: bytes) -> Answer:
        await self._store.overwrite(_key(fields), body)
        return {}, b""

    async def _read(self, fields: Fields, _: bytes) -> Answer:
        return {}, await self._store.read(_key(fields), fields["start"], fields["length"])

    async def _read_all(self, fields: Fields, _: bytes) -> Answer:
        return {}, await self._store.read_all(_key(fields), size_max=fields["size_max"])

    async def _read_into_file(self, fields: Fields, _: bytes) -> Answer:
        found = await self._downloads.download(
            _key(fields), fields["start"], fields["length"], fields["path"]
        )
        return {
            "crc32c": found.crc32c,
            "is_hedged": found.is_hedged,
            "hedge_won": found.hedge_won,
        }, b""

    async def _checksum(self, fields: Fields, _: bytes) -> Answer:
        found = await self._store.read(_key(fields), fields["start"], fields["length"])
        return {"crc32c": crc32c(found)}, b""

    async def _head(self, fields: Fields, _: bytes) -> Answer:
        return info_fields(await self._store.head(_key(fields))), b""

    async def _list(self, fields: Fields, _: bytes) -> Answer:
        found = await self._store.list(
            fields["prefix"], start_after=fields["start_after"], limit=fields["limit"]
        )
        return {"objects": [info_fields(each) for each in found]}, b""

    async def _delete(self, fields: Fields, _: bytes) -> Answer:
        await self._store.delete([object_key(key) for key in fields["keys"]])
        return {}, b""

    async def _probe(self, fields: Fields, _: bytes) -> Answer:
        found = await self._store.probe(_key(fields))
        return {
            "creates_exclusively": found.creates_exclusively,
            "verifies_checksums": found.verifies_checksums,
            "keeps_checksums": found.keeps_checksums,
        }, b""

    async def _can_lock(self, _: Fields, __: bytes) -> Answer:
        return {"can_lock": await self._store.can_lock()}, b""


def order_fields(order: SealOrder) -> Fields:
    """Write an order down."""
    return {
        "key": order.key.text,
        "parts": [[part.file, part.position, part.length] for part in order.parts],
        "lineage": [[term.epoch, term.start] for term in order.lineage],
        "producers_path": order.producers_path,
        "created_ms": order.created_ms,
        "storage_class": order.storage_class.name,
        "lock": lock_fields(order.lock),
    }


def seal_order(fields: Fields) -> SealOrder:
    """Read what `order_fields` wrote."""
    return SealOrder(
        key=segment_key(fields["key"]),
        parts=[FilePart(path, position, length) for path, position, length in fields["parts"]],
        lineage=[EpochStart(LeaderEpoch(epoch), Offset(at)) for epoch, at in fields["lineage"]],
        producers_path=fields["producers_path"],
        created_ms=fields["created_ms"],
        storage_class=StorageClass[fields["storage_class"]],
        lock=read_lock(fields["lock"]),
    )


def sealed_fields(sealed: SealedSegment) -> Fields:
    """Write down what the manifest wants to know of an object."""
    return {
        "end_epoch": sealed.meta.end_epoch,
        "max_timestamp": sealed.meta.max_timestamp,
        "size_bytes": sealed.object_bytes,
        "data_bytes": sealed.meta.data_bytes,
        "records": sealed.meta.records,
        "crc32c": sealed.crc32c,
        "aborted": sealed.aborted,
    }


def info_fields(info: ObjectInfo) -> Fields:
    """Write down what the store says of an object."""
    return {
        "key": info.key,
        "size": info.size,
        "modified_ms": info.modified_ms,
        "checksum_crc32c": info.checksum_crc32c,
        "lock": lock_fields(info.lock),
    }


def _key(fields: dict[str, Any]) -> ObjectKey:
    return object_key(fields["key"])
