"""Bounded cache of open files: ten thousand partitions must not need ten thousand descriptors."""

from collections import OrderedDict

from service.model.disk import Disk, DiskError, File

OPEN_FILES_MAX = 512
"""Below the usual soft limit of 1,024, which sockets share."""


class Descriptors:
    """Opens files on demand and closes the ones unused for longest.

    A file handed to another thread is pinned, so that it cannot be closed under its feet, not even
    when its path is forgotten because another file takes it. All of this is called on the event
    loop.
    """

    def __init__(self, disk: Disk, *, open_max: int = OPEN_FILES_MAX) -> None:
        self._disk = disk
        self._open_max = open_max
        self._files: dict[str, File] = {}
        self._paths: dict[File, str] = {}
        self._pins: dict[File, int] = {}
        # Thousands may be pinned at once, so those that may be closed are kept apart.
        self._idle: OrderedDict[str, None] = OrderedDict()

    def get(self, path: str) -> File:
        """Return the file, open; valid until the next call, unless it is pinned."""
        file = self._files.get(path)
        if file is None:
            try:
                file = self._disk.open(path)
            except FileNotFoundError as error:
                raise DiskError("open", path, "the file is gone") from error
            self._add(path, file)
        elif path in self._idle:
            self._idle.move_to_end(path)
        return file

    def create(self, path: str) -> File:
        """Make and open a file that does not exist yet."""
        file = self._disk.open(path, create=True)
        self._add(path, file)
        return file

    def pin(self, path: str) -> File:
        """Return the file, open, and keep it open until `unpin`."""
        file = self.get(path)
        self._pins[file] = self._pins.get(file, 0) + 1
        self._idle.pop(path, None)
        return file

    def unpin(self, file: File) -> None:
        """Let go of a file that was pinned."""
        left = self._pins[file] - 1
        if left:
            self._pins[file] = left
            return
        del self._pins[file]
        path = self._paths.get(file)
        if path is None:
            file.close()  # it was forgotten meanwhile
            return
        self._idle[path] = None
        self._close_surplus()

    def forget(self, path: str) -> None:
        """Let go of the file, because it is about to go or to be replaced.

        Whoever has pinned it reads on; the next `get` opens what the path names by then.
        """
        file = self._files.pop(path, None)
        if file is None:
            return
        del self._paths[file]
        self._idle.pop(path, None)
        if file not in self._pins:
            file.close()

    def close(self) -> None:
        """Close everything."""
        for file in {*self._paths, *self._pins}:
            file.close()
        for known in (self._files, self._paths, self._idle):
            known.clear()

    def _add(self, path: str, file: File) -> None:
        self.forget(path)
        self._files[path] = file
        self._paths[file] = path
        self._idle[path] = None
        self._close_surplus()

    def _close_surplus(self) -> None:
        # The newest one stays: its opener is about to use it.
        while len(self._files) > self._open_max and len(self._idle) > 1:
            self.forget(next(iter(self._idle)))
