"""The real disk: `service.model.disk` over the operating system's calls."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from service.model.disk import Buffer, DiskError, DiskFullError, File
from service.protocol.frame_memory import FrameMemory

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}
_IOV_MAX = os.sysconf("SC_IOV_MAX")
_TEMPORARY_SUFFIX = ".tmp"

REUSED_BYTES_MIN = 64 * 1024
"""Smaller reads get memory of their own: they are cheap, and often kept for long."""


@contextmanager
def _translated(operation: str, path: str) -> Iterator[None]:
    """Turn the system's refusals into the port's errors; a missing file stays what it is."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        kind = DiskFullError if error.errno in _FULL else DiskError
        raise kind(operation, path, error.strerror or str(error)) from error


class SystemFile:
    """An open file descriptor.

    Args:
        memory: What is read at once goes into it; belongs to the thread of the event loop.
    """

    def __init__(self, path: str, fd: int, memory: FrameMemory) -> None:
        self._path = path
        self._fd = fd
        self._memory = memory

    def write_at(self, position: int, buffers: Sequence[Buffer]) -> int:
        start = position
        try:
            for first in range(0, len(buffers), _IOV_MAX):
                part = buffers[first : first + _IOV_MAX]
                wanted = sum(map(len, part))
                written = os.pwritev(self._fd, part, position)
                position += written
                if written < wanted:
                    position = self._write_rest(position, part, written)
        except OSError as error:
            kind = DiskFullError if error.errno in _FULL else DiskError
            raise kind("write", self._path, error.strerror or str(error)) from error
        return position - start

    def _write_rest(self, position: int, buffers: Sequence[Buffer], done: int) -> int:
        """Finish a short write (KAFKA-17181); a write that makes no progress fails by itself."""
        rest = memoryview(b"".join(buffers))[done:]
        while rest:
            written = os.pwrite(self._fd, rest, position)
            rest = rest[written:]
            position += written
        return position

    def read_at(self, position: int, length: int) -> bytes:
        with _translated("read", self._path):
            found = os.pread(self._fd, length, position)
            while 0 < len(found) < length:
                more = os.pread(self._fd, length - len(found), position + len(found))
                if not more:
                    break
                found += more
            return found

    def read_cached(self, position: int, length: int) -> Buffer | None:
        # A fresh bytearray is filled with zeros first: a third of the time outside the kernel.
        room = self._memory.take(length) if length >= REUSED_BYTES_MIN else bytearray(length)
        try:
            found = os.preadv(self._fd, [room], position, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:  # tmpfs and others: there is no device to wait for
                return self.read_at(position, length)
            raise DiskError("read", self._path, error.strerror or str(error)) from error
        # A short answer means that the rest is not in the page cache, or that the file ends.
        return room if found == length else None

    def sync(self) -> None:
        with _translated("fdatasync", self._path):
            os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        with _translated("truncate", self._path):
            os.ftruncate(self._fd, size)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class SystemDisk:
    """Files of the operating system."""

    def __init__(self) -> None:
        self._memory = FrameMemory()

    def open(self, path: str, *, create: bool = False, writable: bool = True) -> File:
        flags = os.O_CLOEXEC | (os.O_RDWR if writable else os.O_RDONLY)
        with _translated("open", path):
            descriptor = os.open(path, flags | (os.O_CREAT if create else 0), 0o644)
            return SystemFile(path, descriptor, self._memory)

    def read_file(self, path: str) -> bytes:
        with _translated("read", path), open(path, "rb") as file:
            return file.read()

    def write_file_atomically(self, path: str, content: Buffer) -> None:
        temporary = path + _TEMPORARY_SUFFIX
        file = self.open(temporary, create=True)
        try:
            file.truncate(0)
            file.write_at(0, [content])
            file.sync()
        finally:
            file.close()
        self.rename(temporary, path)
        self.sync_dir(os.path.dirname(path))

    def make_dirs(self, path: str) -> None:
        if os.path.isdir(path):
            return
        parent = os.path.dirname(path)
        self.make_dirs(parent)
        with _translated("mkdir", path):
            os.makedirs(path, exist_ok=True)
        self.sync_dir(parent)

    def list_dir(self, path: str) -> list[tuple[str, int]]:
        with _translated("list", path), os.scandir(path) as entries:
            return sorted(filter(None, map(_named_size, entries)))

    def rename(self, old: str, new: str) -> None:
        with _translated("rename", old):
            os.replace(old, new)

    def unlink(self, path: str) -> None:
        with _translated("unlink", path):
            os.unlink(path)

    def remove_tree(self, path: str) -> None:
        with _translated("remove", path):
            try:
                shutil.rmtree(path)
            except FileNotFoundError:
                return

    def remove_empty_dir(self, path: str) -> bool:
        with _translated("rmdir", path):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                return True
            except OSError as error:
                if error.errno in _NOT_EMPTY:
                    return False
                raise
            return True

    def sync_dir(self, path: str) -> None:
        with _translated("fsync", path):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def free_bytes(self, path: str) -> tuple[int, int]:
        with _translated("statvfs", path):
            found = os.statvfs(path)
            # As df counts: what is kept for the superuser is neither free nor used.
            usable = found.f_blocks - found.f_bfree + found.f_bavail
            return found.f_bavail * found.f_frsize, usable * found.f_frsize


def _named_size(entry: os.DirEntry[str]) -> tuple[str, int] | None:
    """Return the name and bytes of an entry; None if it has just been removed."""
    if entry.is_dir():
        return entry.name + "/", 0
    try:
        return entry.name, entry.stat().st_size
    except FileNotFoundError:
        return None
