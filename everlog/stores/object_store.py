"""Port for object stores: immutable objects by name, with S3's guarantees and no more.

Rules for every adapter, held by ``tests/contract/test_object_store.py``:

- A name is created once and never changes its bytes. Only `ObjectStore.overwrite` breaks this, for
  hints.
- Readers see a whole object or none.
- A body must not change during the call that stores it. Its checksum is known before its last byte
  leaves, and bytes that have another one are not stored.
- When a call ends, however it ends, the store no longer touches the files and buffers that the
  caller lent it. So a cancelled call may go on for as long as its store waits for an answer.
- Where the outcome is unknown the error says so, and the same call is safe to repeat.
- No key may be the folder of another (``a`` and ``a/b``), since some stores make files and folders
  of them.
- Methods belong to one event loop and may run side by side. None of them blocks it.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from everlog.model.buffer import Buffer
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import BodyPart
from everlog.stores.object_key import ObjectKey

LIST_OBJECTS_MAX = 1000
"""Objects in one page unless told otherwise; S3 answers no more at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a store says of an object without its bytes.

    Attributes:
        modified_ms: When the store finished it, by the store's clock, since the Unix epoch.
        checksum_crc32c: Of the whole object, where the store keeps one; listings never have it.
        lock: What keeps it from being deleted, where the store says so; listings never have it.
    """

    key: ObjectKey
    size: int
    modified_ms: int
    checksum_crc32c: int | None
    lock: ObjectLock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedObject:
    """A new object: what was stored, verified."""

    key: ObjectKey
    size: int
    crc32c: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCapabilities:
    """What a store was seen to do; none of it is needed, all of it is a second line of defence.

    Attributes:
        creates_exclusively: A second create of one name is refused by the store itself. Without it
            a create looks first, which two writers at the same time get past; unique names and the
            compare-and-set in the metadata store keep that harmless.
        verifies_checksums: Bytes damaged on their way in are refused by the store itself.
        keeps_checksums: `ObjectStore.head` has the checksum, so an object can be verified without
            reading it.
    """

    creates_exclusively: bool
    verifies_checksums: bool
    keeps_checksums: bool


class ObjectStore(Protocol):
    """Objects by name.

    Every method may raise `StoreUnavailableError`, `StoreThrottledError` and `StoreDeniedError`,
    and `RejectedError` for a name that `object_key` would refuse.
    """

    async def create(
        self, key: ObjectKey, body: Buffer, *, crc32c: int | None = None
    ) -> CreatedObject:
        """Store a new object from memory; durable and visible to every reader on return.

        Args:
            key: A name that no object has.
            body: All bytes of the object.
            crc32c: The checksum that the body had when it was made. None: computed here, before the
                body is sent.

        Raises:
            ObjectExistsError: ``key`` is taken. Its object is unchanged.
            StoreCorruptionError: The body does not have that checksum, or the store has other bytes
                than it got.
            StoreUnavailableError: Outcome unknown; the object may or may not exist. Repeating is
                safe, but may meet its own earlier success as `ObjectExistsError`
                (`RetryingObjectStore` tells them apart).
        """
        ...

    async def create_from_file(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
    ) -> CreatedObject:
        """Store a new object made of file ranges and buffers, one after the other, like `create`.

        No more than a few MiB of it are in memory at a time, beyond the buffers among the parts.

        Args:
            key: A name that no object has.
            parts: The body. Paths are opened here; descriptors stay the caller's.
            crc32c: The checksum of the whole body, from when it was made: a file that changed since
                then is not stored.
            storage_class: What the store is to keep it as. Only segment objects have another than
                the default: all else is small, and read often.
            lock: Until when nobody is to delete it; None for no lock. It ends in the future.

        Raises:
            ObjectExistsError: ``key`` is taken. Its object is unchanged.
            StoreCorruptionError: As in `create`, or a file is shorter than its part or cannot be
                read. Nothing is stored.
            StoreDeniedError: The store does not have that class, or no locks. Nothing is stored.
            StoreUnavailableError: As in `create`.
        """
        ...

    async def overwrite(self, key: ObjectKey, body: Buffer) -> None:
        """Store an object in place of the one that has the name, as one step.

        Of two overwrites at a time either may win, also one that failed with
        `StoreUnavailableError` long ago. So this is for hints such as ``root/LATEST``, never for
        anything that must be right.
        """
        ...

    async def read(self, key: ObjectKey, start: int, length: int) -> bytes:
        """Return exactly the bytes ``[start, start + length)`` of an object.

        ``length`` is at least 1. The bytes come as the store sent them: verifying a range is up to
        the checksums inside the object.

        Raises:
            ObjectMissingError: There is no such object.
            StoreCorruptionError: The object ends before the range does.
        """
        ...

    async def read_all(self, key: ObjectKey, *, size_max: int) -> bytes:
        """Return a whole object, verified where the store keeps its checksum.

        Raises:
            ObjectMissingError: There is no such object.
            StoreCorruptionError: It is larger than ``size_max``, or its bytes do not have its
                checksum.
        """
        ...

    async def read_into(self, key: ObjectKey, start: int, buffer: bytearray | memoryview) -> None:
        """Fill a buffer, all of it, with the bytes of an object from ``start`` on, like `read`.

        After an error the content of the buffer is undefined.
        """
        ...

    async def read_into_file(self, key: ObjectKey, start: int, length: int, path: str) -> int:
        """Write a range of an object to a file, like `read`, and return the CRC32C of its bytes.

        The file is created, or emptied first; it is not synced. After an error there is no file at
        ``path``.
        """
        ...

    async def head(self, key: ObjectKey) -> ObjectInfo:
        """Return what the store says of an object.

        Raises:
            ObjectMissingError: There is no such object.
        """
        ...

    async def list(
        self, prefix: str, *, start_after: str | None = None, limit: int = LIST_OBJECTS_MAX
    ) -> Sequence[ObjectInfo]:
        """Return the first ``limit`` objects whose keys begin with ``prefix``, sorted by key.

        Fewer than ``limit`` means that there are no more; otherwise the last key is the next
        ``start_after``. Objects that no `object_key` can name are left out. What is created or
        deleted meanwhile may or may not be seen.

        Sorted means by bytes; a store may sort by folder instead, as SeaweedFS does (``a/c`` before
        ``a-b``, and nothing below ``a`` after ``a``). In either order, going on after the last key
        misses nothing.
        """
        ...

    async def delete(self, keys: Sequence[ObjectKey]) -> None:
        """Delete objects; on return none of them exists, whether or not they did.

        A store that keeps versions only hides them: what it does with those, and what a lock means
        for them, is its own affair and that of its life-cycle rules.

        Raises:
            ObjectsNotDeletedError: Some could not be deleted; it names them and why. All others are
                gone.
        """
        ...

    async def probe(self, key: ObjectKey) -> StoreCapabilities:
        """Try the store out with an object of this name, which is deleted again.

        Run once at start, before anything else: the adapter then does without what its store lacks.
        """
        ...

    async def can_lock(self) -> bool:
        """Say whether `create_from_file` can lock what it stores; the store is asked anew."""
        ...

    def local_path(self, key: ObjectKey) -> str | None:
        """Return the path of the file that is, or would be, this object, to be read in place.

        None where objects are no local files. Touches no disk. The file never changes, and it
        disappears when the object is deleted.
        """
        ...

    async def close(self) -> None:
        """Wait for the calls under way and let go of threads and connections."""
        ...


async def list_all(
    store: ObjectStore, prefix: str, *, page_objects_max: int = LIST_OBJECTS_MAX
) -> AsyncIterator[ObjectInfo]:
    """Go through all objects whose keys begin with ``prefix``, in the order of the store."""
    start_after: str | None = None
    while True:
        page = await store.list(prefix, start_after=start_after, limit=page_objects_max)
        for info in page:
            yield info
        if len(page) < page_objects_max:
            return
        start_after = page[-1].key
