"""One object from a store to another: verified before anybody can find it there."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Protocol

import structlog

from everlog.format.checksum import crc32c as crc32c_of
from everlog.format.checksum import joined
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import Uid, uid_text
from everlog.model.clock import IdSource
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from everlog.model.storage_class import StorageClass
from everlog.stores.body import FilePart
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    StoreDeniedError,
    not_shown_yet,
)
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import ObjectStore

SPOOL_BYTES_MAX = 1 << 30
"""Of objects on their way through files of this machine; a larger one goes alone."""

SERVER_COPY_BYTES_MAX = 5 << 30
"""What S3 copies with one request; larger objects go through this machine."""

_COMPARE_BYTES = 8 << 20
"""How much of an object is in memory while it is read back."""

_log = structlog.get_logger(__name__)


class ObjectCopier(Protocol):
    """Copies single objects between two stores."""

    async def copy(
        self,
        key: ObjectKey,
        *,
        size: int,
        crc32c: int | None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> None:
        """Copy an object under its own name; durable on return. Safe to repeat.

        Args:
            key: Of the object in both stores.
            size: How many bytes it has to have.
            crc32c: What they have to have; None if nobody knows.
            storage_class: What the copy is to be kept as.

        Raises:
            ObjectMissingError: The source does not have it.
            StoreDeniedError: A store refuses this process, or does not have the class.
            CorruptionError: The source has other bytes; nothing was stored.
            StoreUnavailableError: A store did not answer.
        """
        ...


class StoreSideCopy(Protocol):
    """A store that copies an object without its bytes leaving it."""

    async def copy(self, key: ObjectKey, *, storage_class: StorageClass) -> None:
        """Copy an object; raises what `ObjectStore.create` and `ObjectStore.head` do."""
        ...


class SpooledCopier:
    """Copies by way of a file, so that what is stored was read whole and verified.

    Args:
        folder: For the files; the caller's, who removes it.
        spool_bytes_max: Of objects on their way at a time.
    """

    def __init__(
        self,
        source: ObjectStore,
        target: ObjectStore,
        *,
        folder: str,
        ids: IdSource,
        spool_bytes_max: int = SPOOL_BYTES_MAX,
    ) -> None:
        self._source = source
        self._target = target
        self._folder = folder
        self._ids = ids
        self._room = SpoolRoom(bytes_max=spool_bytes_max)

    async def copy(
        self,
        key: ObjectKey,
        *,
        size: int,
        crc32c: int | None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> None:
        create = partial(self._create, key, storage_class=storage_class)
        if not size:
            await create([], crc32c=0)
            return
        local = self._source.local_path(key)
        if local is not None and crc32c is not None:
            # A file of a directory store: the new store verifies it as it reads it.
            try:
                await create([FilePart(local, 0, size)], crc32c=crc32c)
            except CorruptionError:
                await self._source.head(key)  # it may have gone meanwhile
                raise
            return
        async with self._room.taken(size):
            path = os.path.join(self._folder, uid_text(Uid(self._ids.uuid())))
            try:
                found = await self._fetch(key, size, path)
                if crc32c is not None and found != crc32c:
                    # The way may have damaged it; what is damaged where it lies is so again.
                    found = await self._fetch(key, size, path)
                _check(key, found, crc32c)
                await create([FilePart(path, 0, size)], crc32c=found)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(path)

    async def _fetch(self, key: ObjectKey, size: int, path: str) -> int:
        try:
            return await self._source.read_into_file(key, 0, size, path)
        except OSError as error:
            raise RejectedError(
                f"{self._folder} does not take {size:,} bytes ({error.strerror}): make room there, "
                "or set TMPDIR to a directory that has some"
            ) from error

    async def _create(
        self, key: ObjectKey, parts: list[FilePart], *, crc32c: int, storage_class: StorageClass
    ) -> None:
        try:
            await self._target.create_from_file(
                key, parts, crc32c=crc32c, storage_class=storage_class
            )
        except ObjectExistsError:
            # Another copy beside this one. A name never has two contents, if nobody meddles.
            size = sum(len(part) for part in parts)
            await check_copy(self._target, key, size=size, crc32c=crc32c)


class StoreSideCopier:
    """Lets the store copy, and sees that it has copied what the manifest says.

    Args:
        server: Where both stores are.
        otherwise: Takes what the server refuses to copy or does not manage to.
    """

    def __init__(
        self, server: StoreSideCopy, target: ObjectStore, *, otherwise: ObjectCopier
    ) -> None:
        self._server = server
        self._target = target
        self._otherwise = otherwise
        self._refused: set[StorageClass] = set()

    async def copy(
        self,
        key: ObjectKey,
        *,
        size: int,
        crc32c: int | None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> None:
        is_copied = (
            crc32c is not None
            and size <= SERVER_COPY_BYTES_MAX
            and storage_class not in self._refused
            and await self._copied(key, storage_class)
        )
        if not is_copied or crc32c is None:
            await self._otherwise.copy(key, size=size, crc32c=crc32c, storage_class=storage_class)
            return
        try:
            await check_copy(self._target, key, size=size, crc32c=crc32c)
        except CorruptionError:
            # No root of the copy names it yet; what is damaged must not stand for the object.
            await self._target.delete([key])
            raise

    async def _copied(self, key: ObjectKey, storage_class: StorageClass) -> bool:
        try:
            await self._server.copy(key, storage_class=storage_class)
        except StoreDeniedError as error:
            self._refused.add(storage_class)
            _log.warning("store_side_copy_refused", reason=str(error), instead="through here")
            return False
        except RetriableError:
            return False
        return True


async def check_copy(store: ObjectStore, key: ObjectKey, *, size: int, crc32c: int) -> None:
    """See that a store has an object with these bytes, by its checksum or else by reading it.

    Raises:
        CorruptObjectError: It has others.
        StoreUnavailableError: It does not show it, or did not answer.
    """
    try:
        info = await store.head(key)
    except ObjectMissingError as error:
        raise not_shown_yet("create", key) from error
    if info.size != size:
        raise CorruptObjectError(key, f"the copy has {info.size:,} bytes instead of {size:,}")
    found = info.checksum_crc32c
    if found is None:
        found = await _read_crc32c(store, key, size)
    _check(key, found, crc32c)


async def _read_crc32c(store: ObjectStore, key: ObjectKey, size: int) -> int:
    loop = asyncio.get_running_loop()
    found = 0
    for start in range(0, size, _COMPARE_BYTES):
        data = await store.read(key, start, min(_COMPARE_BYTES, size - start))
        piece = await loop.run_in_executor(None, crc32c_of, data)
        found = joined(found, piece, len(data))
    return found


def _check(key: ObjectKey, found: int, wanted: int | None) -> None:
    if wanted is not None and found != wanted:
        raise CorruptObjectError(key, f"its bytes have CRC-32C {found:08x} instead of {wanted:08x}")


class SpoolRoom:
    """Bytes that may be on their way at a time; who needs more than there is waits."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._taken = 0
        self._given_back = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes; more than there is at all are had alone."""
        async with self._given_back:
            await self._given_back.wait_for(
                lambda: not self._taken or self._taken + size <= self._bytes_max
            )
            self._taken += size
        try:
            yield
        finally:
            # No await between the end of the work and this: a cancelled copy gives back, too.
            self._taken -= size
            async with self._given_back:
                self._given_back.notify_all()
