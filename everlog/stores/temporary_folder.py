"""Files that are being written, told apart from leftovers by their locks.

A writer holds an exclusive ``flock`` on its file for as long as it lives, and the kernel lets go of
it when the process dies. So whoever gets the lock of a file has found a leftover, also with several
processes at work.
"""

import fcntl
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from everlog.stores.folders import make_folders

TEMPORARY_FOLDER = "~tmp"
"""Not a key, since ``~`` is outside their characters."""


class TemporaryFolder:
    """The folder of unfinished files below the root of a store."""

    def __init__(self, root: str) -> None:
        self._path = os.path.join(root, TEMPORARY_FOLDER)
        self._numbers = itertools.count()
        # Not a process id: containers that share a volume may have the same one.
        self._writer = secrets.token_hex(8)

    @contextmanager
    def new_file(self) -> Iterator[tuple[int, str]]:
        """Open a new file for writing, as (descriptor, path); closed and removed on leaving.

        Raises:
            OSError: The file system refuses.
        """
        descriptor, path = self._open_locked()
        try:
            yield descriptor, path
        finally:
            try:
                # Nothing is left to remove after a rename.
                _unlink_if_there(path)
            finally:
                os.close(descriptor)

    def remove_leftovers(self) -> None:
        """Remove what processes that are gone left behind; files of living writers stay.

        Raises:
            OSError: The file system refuses.
        """
        try:
            names = os.listdir(self._path)
        except FileNotFoundError:
            return
        for name in names:
            _remove_if_unlocked(os.path.join(self._path, name))

    def _open_locked(self) -> tuple[int, str]:
        make_folders(self._path)
        while True:
            path = os.path.join(self._path, f"{self._writer}-{next(self._numbers)}")
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o644)
            # Before we have the lock, another process may take the file for a leftover and remove
            # it.
            if _lock(descriptor) and os.fstat(descriptor).st_nlink:
                return descriptor, path
            os.close(descriptor)


def _remove_if_unlocked(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if _lock(descriptor):
            _unlink_if_there(path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlink_if_there(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
