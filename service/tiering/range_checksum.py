"""Checksums of ranges of objects, computed where the bytes arrive."""

from collections.abc import Awaitable, Callable

from everlog.format.checksum import crc32c
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectStore
from service.tiering.worker.remote_store import Caller

ChecksumRange = Callable[[ObjectKey, int, int], Awaitable[int]]
"""Reads ``length`` bytes of an object from ``start`` on and returns their CRC-32C."""


def checksum_through(worker: Caller) -> ChecksumRange:
    """Let the transfer process read; no byte of the object comes here."""

    async def checksum(key: ObjectKey, start: int, length: int) -> int:
        fields = {"key": key, "start": start, "length": length}
        return int((await worker.call("checksum", fields))[0]["crc32c"])

    return checksum


def checksum_of(store: ObjectStore) -> ChecksumRange:
    """Read here."""

    async def checksum(key: ObjectKey, start: int, length: int) -> int:
        return crc32c(await store.read(key, start, length))

    return checksum
