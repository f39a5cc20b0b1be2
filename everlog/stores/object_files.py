"""Objects as files, with blocking calls; `FilesystemObjectStore` runs them in threads.

A new object is written to a temporary file of the same file system, synced, and linked to its name,
which fails if the name is taken; so readers see whole files only. Several processes may share one
root, as far as its file system has hard links and locks.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from crc32c import crc32c as crc32c_of

from everlog.model.errors import EverlogError
from everlog.model.object_lock import ObjectLock
from everlog.model.storage_class import StorageClass
from everlog.stores.body import COPY_BYTES, BodyPart, BodyReader
from everlog.stores.byte_range import larger_than, range_beyond_end, range_end
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.errors import (
    ObjectExistsError,
    ObjectMissingError,
    ObjectsNotDeletedError,
    StoreDeniedError,
    StoreUnavailableError,
    check_plain,
)
from everlog.stores.file_listing import list_files
from everlog.stores.folders import make_folders, remove_empty_folders, sync_folders
from everlog.stores.object_key import ObjectKey
from everlog.stores.object_store import CreatedObject, ObjectInfo, StoreCapabilities
from everlog.stores.received import Chunks, write_all
from everlog.stores.temporary_folder import TemporaryFolder

PROBE_BODY = b"everlog probe"

_LINK_ATTEMPTS_MAX = 100
"""Each one lost means that somebody emptied the folder within microseconds; one is rare."""

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP})
_NAME_CLASHES = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR})


class ObjectFiles:
    """The files below one root. Keys are checked by the caller."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._temporary = TemporaryFolder(self._root)

    def local_path(self, key: ObjectKey) -> str:
        """Return where the object is, or would be."""
        return os.path.join(self._root, key)

    def remove_leftovers(self) -> None:
        """Remove what crashed writers left, if this process may write here at all."""
        try:
            self._temporary.remove_leftovers()
        except OSError as error:
            if error.errno not in _DENIED:
                raise _translated("open", self._root, error) from error

    def create(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: ObjectLock | None = None,
        stop: threading.Event,
    ) -> CreatedObject:
        """Store a new object durably."""
        check_plain(key, storage_class, lock)
        path = self.local_path(key)
        with _translating("create", key):
            if os.path.lexists(path):
                raise self._taken(key, path)
        with (
            _translating("create", key),
            BodyReader(key, parts, crc32c=crc32c, stop=stop) as body,
            self._temporary.new_file() as (descriptor, temporary),
        ):
            while chunk := body.read(COPY_BYTES):
                write_all(descriptor, chunk)
            os.fsync(descriptor)
            if not _link(temporary, path, key):
                raise self._taken(key, path)
            sync_folders(os.path.dirname(path), root=self._root)
            return CreatedObject(key=key, size=len(body), crc32c=crc32c)

    def overwrite(self, key: ObjectKey, content: bytes) -> None:
        """Store an object durably, in place of another."""
        path = self.local_path(key)
        with (
            _translating("overwrite", key),
            self._temporary.new_file() as (descriptor, temporary),
        ):
            write_all(descriptor, content)
            os.fsync(descriptor)
            make_folders(os.path.dirname(path))
            os.replace(temporary, path)
            sync_folders(os.path.dirname(path), root=self._root)

    def chunks(self, key: ObjectKey, start: int, length: int, stop: threading.Event) -> Chunks:
        """Yield the bytes of a range."""
        end = range_end(start, length)
        with self._opened(key) as descriptor:
            while start < end:
                if stop.is_set():
                    raise CallStoppedError
                chunk = os.pread(descriptor, min(COPY_BYTES, end - start), start)
                if not chunk:
                    raise range_beyond_end(key, start, end, size=os.fstat(descriptor).st_size)
                start += len(chunk)
                yield chunk

    def read_all(self, key: ObjectKey, size_max: int) -> bytes:
        """Return a whole object."""
        with self._opened(key) as descriptor:
            size = os.fstat(descriptor).st_size
            if size > size_max:
                raise larger_than(key, size, size_max)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()

    def head(self, key: ObjectKey) -> ObjectInfo:
        """Return size and time of an object; its checksum is not kept."""
        with self._opened(key) as descriptor:
            return _info(key, os.fstat(descriptor))

    def list(self, prefix: str, start_after: str | None, limit: int) -> Sequence[ObjectInfo]:
        """Return one page of objects."""
        with _translating("list", prefix):
            files = list_files(self._root, prefix, start_after=start_after or "")
            return [_info(key, status) for key, status in islice(files, limit)]

    def delete(self, keys: Sequence[ObjectKey]) -> None:
        """Delete objects durably, and the folders that they leave empty."""
        failures: dict[ObjectKey, EverlogError] = {}
        for key in keys:
            try:
                os.unlink(self.local_path(key))
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
            except OSError as error:
                failures[key] = _translated("delete", key, error)
        with _translating("delete", keys[0] if keys else ""):
            folders = {os.path.dirname(self.local_path(key)) for key in keys}
            remove_empty_folders(folders, root=self._root)
        if failures:
            raise ObjectsNotDeletedError(failures)

    def probe(self, key: ObjectKey) -> StoreCapabilities:
        """See that objects can be made, once, and deleted here."""
        never = threading.Event()
        self.delete([key])
        self.create(key, (PROBE_BODY,), crc32c=crc32c_of(PROBE_BODY), stop=never)
        try:
            self.create(key, (PROBE_BODY,), crc32c=crc32c_of(PROBE_BODY), stop=never)
        except ObjectExistsError:
            return StoreCapabilities(
                creates_exclusively=True, verifies_checksums=True, keeps_checksums=False
            )
        finally:
            self.delete([key])
        raise AssertionError("a second file got the name of the first")

    def can_lock(self) -> bool:
        """No file is safe from its owner."""
        return False

    def close(self) -> None:
        """Nothing is open between calls."""

    def _taken(self, key: ObjectKey, path: str) -> ObjectExistsError:
        # Whoever made it may have died before this, and a creator who finds its own object relies
        # on it from now on.
        sync_folders(os.path.dirname(path), root=self._root)
        return ObjectExistsError(key)

    @contextmanager
    def _opened(self, key: ObjectKey) -> Iterator[int]:
        try:
            descriptor = os.open(self.local_path(key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise ObjectMissingError(key)
                yield descriptor
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ObjectMissingError(key) from error
        except OSError as error:
            raise _translated("read", key, error) from error


def _link(temporary: str, path: str, key: ObjectKey) -> bool:
    """Give a file its name; return False if another has it."""
    for _ in range(_LINK_ATTEMPTS_MAX):
        try:
            make_folders(os.path.dirname(path))
            return _link_new(temporary, path)
        except FileNotFoundError:
            # Whoever deleted its last object has just removed the folder.
            continue
    raise StoreUnavailableError("create", key, "its folder is removed again and again")


def _link_new(temporary: str, path: str) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _info(key: ObjectKey, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(
        key=key,
        size=status.st_size,
        modified_ms=status.st_mtime_ns // 1_000_000,
        checksum_crc32c=None,
    )


@contextmanager
def _translating(operation: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _translated(operation, key, error) from error


def _translated(operation: str, key: str, error: OSError) -> EverlogError:
    if error.errno in _DENIED:
        return StoreDeniedError(
            operation,
            key,
            f"{error}; check that this process may write below the store's directory, and that "
            "the file system has hard links and locks",
        )
    if error.errno in _NAME_CLASHES:
        return StoreDeniedError(operation, key, f"{error}; a key cannot be the folder of another")
    return StoreUnavailableError(operation, key, str(error))
