"""Bounded cache of open files: ten thousand partitions must not need ten thousand descriptors."""

from collections import OrderedDict

from service.model.disk import Disk, File

OPEN_FILES_MAX = 512
"""Below the usual soft limit of 1,024, which sockets share."""


class Descriptors:
    """Opens files on demand and closes the ones unused for longest.

    A file handed to another thread is pinned, so that it cannot be closed under its feet. All of
    this is called on the event loop.
    """

    def __init__(self, disk: Disk, *, open_max: int = OPEN_FILES_MAX) -> None:
        self._disk = disk
        self._open_max = open_max
        self._files: OrderedDict[str, File] = OrderedDict()
        self._pins: dict[str, int] = {}

    def get(self, path: str) -> File:
        """Return the file, open; valid until the next call, unless it is pinned."""
        file = self._files.get(path)
        if file is None:
            file = self._disk.open(path)
            self._files[path] = file
            self._close_surplus()
        else:
            self._files.move_to_end(path)
        return file

    def create(self, path: str) -> File:
        """Make and open a file that does not exist yet."""
        file = self._disk.open(path, create=True)
        self._files[path] = file
        self._close_surplus()
        return file

    def pin(self, path: str) -> File:
        """Return the file, open, and keep it open until `unpin`."""
        file = self.get(path)
        self._pins[path] = self._pins.get(path, 0) + 1
        return file

    def unpin(self, path: str) -> None:
        """Let go of a file that was pinned."""
        left = self._pins[path] - 1
        if left:
            self._pins[path] = left
        else:
            del self._pins[path]

    def forget(self, path: str) -> None:
        """Close the file, because it is about to go or to be replaced."""
        file = self._files.pop(path, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Close everything."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _close_surplus(self) -> None:
        # The newest one stays: its opener is about to use it.
        for path in list(self._files)[:-1]:
            if len(self._files) <= self._open_max:
                return
            if path not in self._pins:
                self.forget(path)
