"""One process at a time on a data directory."""

import fcntl
import os
from types import TracebackType

from everlog.model.errors import RejectedError

LOCK_FILE = "lock"


class DataDirectoryHeldError(RejectedError):
    """Another process has the data directory open."""


class DataDirectoryUnusableError(RejectedError):
    """There is no such directory, and none can be made, or this process may not write to it."""


class DataLock:
    """An advisory lock (flock) on the file ``lock``, which names the process that holds it."""

    def __init__(self, data_dir: str) -> None:
        self._path = f"{data_dir}/{LOCK_FILE}"
        self._data_dir = data_dir
        self._fd = -1

    def __enter__(self) -> None:
        try:
            os.makedirs(self._data_dir, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            is_file = isinstance(error, FileExistsError | NotADirectoryError)
            why = "it is not a directory" if is_file else error.strerror
            raise DataDirectoryUnusableError(
                f"{self._data_dir} cannot be the data directory ({why}); "
                "give another --data-dir (or data.dir)"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise DataDirectoryHeldError(
                f"{self._data_dir} is in use by pid {holder or 'unknown'}; "
                "stop that process, or choose another --data-dir"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
