"""Port for the local disk: what a log needs of a file system, and nothing more.

Calls block. Those that may wait for a device (``sync``, ``sync_dir``, ``read_at``, large
``write_at``) run in an executor; the rest are cheap enough for the event loop. A simulated disk
can lose any page that was not synced.
"""

from collections.abc import Sequence
from typing import Protocol

from everlog.model.errors import EverlogError

Buffer = bytes | bytearray | memoryview


class DiskError(EverlogError):
    """The disk refused: an I/O error, a read-only file system, a failed sync."""

    def __init__(self, operation: str, path: str, reason: str) -> None:
        super().__init__(f"{operation} {path}: {reason}")
        self.operation = operation
        self.path = path


class DiskFullError(DiskError):
    """No space, or no quota, is left. Bytes of the failed call may have been written."""


class File(Protocol):
    """An open file. Positions and lengths are bytes."""

    def write_at(self, position: int, buffers: Sequence[Buffer]) -> int:
        """Write all buffers one after the other from ``position``; return how many bytes.

        Nothing is durable before `sync` returns.

        Raises:
            DiskFullError: No space is left; some of the bytes may be in the file.
            DiskError: The disk refused; some of the bytes may be in the file.
        """
        ...

    def read_at(self, position: int, length: int) -> bytes:
        """Read ``length`` bytes, fewer only at the end of the file. May wait for the device."""
        ...

    def read_cached(self, position: int, length: int) -> Buffer | None:
        """Read like `read_at`, or return None when that would wait for the device."""
        ...

    def sync(self) -> None:
        """Make the bytes written so far, and the size, durable (fdatasync).

        Raises:
            DiskError: The sync failed. What is durable is unknown, and no retry can tell
                (fsyncgate), so the process has to end.
        """
        ...

    def truncate(self, size: int) -> None:
        """Cut the file at ``size``; durable only after `sync`."""
        ...

    def size(self) -> int:
        """Return the length of the file."""
        ...

    def close(self) -> None:
        """Let go of the file without syncing it. Closing twice does nothing."""
        ...


class Disk(Protocol):
    """Files and directories by absolute path. A missing path raises FileNotFoundError."""

    def open(self, path: str, *, create: bool = False, writable: bool = True) -> File:
        """Open a file; ``create`` makes a missing one, its name durable after `sync_dir`."""
        ...

    def read_file(self, path: str) -> bytes:
        """Return the whole content of a small file."""
        ...

    def write_file_atomically(self, path: str, content: Buffer) -> None:
        """Replace a small file as one step: temporary file, sync, rename, sync of the directory.

        After a crash the path holds the old content or the new one, never a mixture.
        """
        ...

    def make_dirs(self, path: str) -> None:
        """Make a directory and those above it, durably; an existing one is left alone."""
        ...

    def list_dir(self, path: str) -> list[tuple[str, int]]:
        """Return (name, bytes) of each entry by name; a directory ends with ``/`` and has 0."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Move a file or directory, replacing a file; durable after `sync_dir`."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file; a missing one is an error."""
        ...

    def remove_tree(self, path: str) -> None:
        """Remove a directory and everything below it; a missing one is fine."""
        ...

    def remove_empty_dir(self, path: str) -> bool:
        """Remove a directory that holds nothing; return whether it is gone."""
        ...

    def sync_dir(self, path: str) -> None:
        """Make the creations, renames and removals in a directory durable."""
        ...

    def free_bytes(self, path: str) -> tuple[int, int]:
        """Return (free, total) bytes of the file system that holds ``path``, as ``df`` counts them.

        Both are zero where the file system does not tell.
        """
        ...
