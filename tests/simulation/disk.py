"""A disk in memory that can lose what was not synced, run full, and fail on cue."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from service.model.disk import Buffer, DiskError, DiskFullError, File

PAGE_BYTES = 4096
"""Written out as one; files are not damaged within."""

SHARE_OF_HOLES = 0.75
"""Of crashes; the others leave a file without holes."""


class _Inode:
    def __init__(self) -> None:
        self.content = bytearray()
        self.synced = b""

    def after_crash(self, rng: random.Random) -> "_Inode":
        """Keep what was synced, and of what was written behind it some pages, in no order."""
        left = _Inode()
        left.content = self.content[:]
        if self.content.startswith(self.synced):
            del left.content[rng.randint(len(self.synced), len(self.content)) :]
            if rng.random() < SHARE_OF_HOLES:
                self._lose_pages(left.content, rng)
        elif rng.random() < 0.5:
            left.content = bytearray(self.synced)
        left.synced = bytes(left.content)
        return left

    def _lose_pages(self, content: bytearray, rng: random.Random) -> None:
        """Leave pages as they were at the last sync; what was behind its end reads as zeros."""
        share = rng.random()
        synced = len(self.synced)
        for page in range(synced // PAGE_BYTES * PAGE_BYTES, len(content), PAGE_BYTES):
            start, end = max(page, synced), min(page + PAGE_BYTES, len(content))
            if start < end and rng.random() < share:
                content[start:end] = bytes(end - start)


class SimFile:
    def __init__(self, disk: "SimDisk", path: str, inode: _Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._is_open = True

    def write_at(self, position: int, buffers: Sequence[Buffer]) -> int:
        self._disk.check("write", self._path)
        data = b"".join(buffers)
        fits = self._disk.take(len(data))
        content = self._inode.content
        if len(content) < position:
            content.extend(bytes(position - len(content)))
        content[position : position + fits] = data[:fits]
        if fits < len(data):
            raise DiskFullError("write", self._path, "no space is left")
        return len(data)

    def read_at(self, position: int, length: int) -> bytes:
        self._disk.check("read", self._path)
        return bytes(self._inode.content[position : position + length])

    def read_cached(self, position: int, length: int) -> Buffer | None:
        if self._disk.is_cold:
            return None
        found = self.read_at(position, length)
        return found if len(found) == length else None

    def sync(self) -> None:
        self._disk.check("sync", self._path)
        self._disk.before_sync(self._path)
        if self._disk.lies_about_syncs:
            return
        self._inode.synced = bytes(self._inode.content)

    def truncate(self, size: int) -> None:
        self._disk.check("truncate", self._path)
        del self._inode.content[size:]

    def size(self) -> int:
        return len(self._inode.content)

    def close(self) -> None:
        self._is_open = False


class SimDisk:
    """Directories with a log of unsynced changes, files with a durable prefix.

    Attributes:
        is_cold: Nothing is in the page cache.
        lies_about_syncs: Says that a file is synced and does nothing, as some disks do.
        room: Bytes left before the disk is full; None for no limit.
        before_sync: Called when a file has been written and is about to be synced.
    """

    def __init__(self) -> None:
        self._names: dict[str, _Inode | None] = {"/": None}
        self._durable: dict[str, _Inode | None] = {"/": None}
        self._changes: dict[str, list[tuple[str, _Inode | str | None]]] = {}
        self._failures: dict[str, DiskError] = {}
        self.is_cold = False
        self.lies_about_syncs = False
        self.room: int | None = None
        self.before_sync: Callable[[str], None] = lambda _: None

    # ---- faults

    def fail(self, operation: str, path_part: str = "") -> None:
        """Make every such operation fail until `heal`."""
        self._failures[operation] = DiskError(operation, path_part, "injected")

    def heal(self) -> None:
        self._failures.clear()
        self.room = None

    def check(self, operation: str, path: str) -> None:
        failure = self._failures.get(operation)
        if failure is not None and failure.path in path:
            raise DiskError(operation, path, "injected")

    def take(self, size: int) -> int:
        if self.room is None:
            return size
        fits = min(size, self.room)
        self.room -= fits
        return fits

    def after_crash(self, rng: random.Random) -> "SimDisk":
        """Cut the power: of unsynced names a random part survives, in order, and some bytes.

        The old disk goes on for whoever is still writing to it, unseen by the new one.
        """
        left = SimDisk()
        names = dict(self._durable)
        for changes in self._changes.values():
            for name, what in changes[: rng.randint(0, len(changes))]:
                self._apply(names, name, what)
        left._names = {name: inode and inode.after_crash(rng) for name, inode in names.items()}
        left._durable = dict(left._names)
        return left

    def after_kill(self) -> "SimDisk":
        """End the process that uses the disk: what it wrote is there, as durable as before."""
        left = SimDisk()
        copies: dict[int, _Inode] = {}

        def copied(what: _Inode | str | None) -> Any:
            if not isinstance(what, _Inode):
                return what
            if id(what) not in copies:
                copies[id(what)] = made = _Inode()
                made.content, made.synced = what.content[:], what.synced
            return copies[id(what)]

        left._names = {name: copied(inode) for name, inode in self._names.items()}
        left._durable = {name: copied(inode) for name, inode in self._durable.items()}
        left._changes = {
            parent: [(name, copied(what)) for name, what in changes]
            for parent, changes in self._changes.items()
        }
        return left

    # ---- Disk

    def open(self, path: str, *, create: bool = False, writable: bool = True) -> File:
        self.check("open", path)
        inode = self._names.get(path)
        if inode is None:
            if not create:
                raise FileNotFoundError(path)
            inode = _Inode()
            self._change(path, inode)
        return SimFile(self, path, inode)

    def read_file(self, path: str) -> bytes:
        file = self.open(path)
        return file.read_at(0, file.size())

    def write_file_atomically(self, path: str, content: Buffer) -> None:
        temporary = path + ".tmp"
        file = self.open(temporary, create=True)
        file.truncate(0)
        file.write_at(0, [content])
        file.sync()
        self.rename(temporary, path)
        self.sync_dir(_parent(path))

    def make_dirs(self, path: str) -> None:
        if path in self._names:
            return
        self.make_dirs(_parent(path))
        self._names[path] = None
        self._durable[path] = None

    def list_dir(self, path: str) -> list[tuple[str, int]]:
        if path not in self._names:
            raise FileNotFoundError(path)
        found = []
        for name, inode in self._names.items():
            if name != path and _parent(name) == path:
                short = name.rpartition("/")[2]
                found.append((short + "/", 0) if inode is None else (short, len(inode.content)))
        return sorted(found)

    def rename(self, old: str, new: str) -> None:
        self.check("rename", old)
        if old not in self._names:
            raise FileNotFoundError(old)
        self._record(old, new)
        self._apply(self._names, old, new)

    def unlink(self, path: str) -> None:
        if path not in self._names:
            raise FileNotFoundError(path)
        self._record(path, None)
        del self._names[path]

    def remove_tree(self, path: str) -> None:
        for names in (self._names, self._durable):
            for name in [each for each in names if each == path or each.startswith(path + "/")]:
                del names[name]

    def remove_empty_dir(self, path: str) -> bool:
        self.check("rmdir", path)
        if any(_parent(name) == path for name in self._names):
            return False
        self.remove_tree(path)
        return True

    def sync_dir(self, path: str) -> None:
        self.check("sync_dir", path)
        if path not in self._names:
            raise FileNotFoundError(path)
        for name, what in self._changes.pop(path, []):
            self._apply(self._durable, name, what)

    def free_bytes(self, path: str) -> tuple[int, int]:
        total = 1 << 40
        return (total if self.room is None else self.room), total

    def flip_bit(self, path: str, position: int, *, bit: int = 0) -> None:
        """Damage a file behind everybody's back."""
        inode = self._names[path]
        assert inode is not None
        inode.content[position] ^= 1 << bit

    def _change(self, path: str, inode: _Inode) -> None:
        if _parent(path) not in self._names:
            raise FileNotFoundError(_parent(path))
        self._names[path] = inode
        self._record(path, inode)

    def _record(self, path: str, what: _Inode | str | None) -> None:
        self._changes.setdefault(_parent(path), []).append((path, what))

    def _apply(self, names: dict[str, _Inode | None], path: str, what: _Inode | str | None) -> None:
        if isinstance(what, str):
            moved = [name for name in names if name == path or name.startswith(path + "/")]
            for name in moved:
                names[what + name[len(path) :]] = names.pop(name)
        elif what is None:
            names.pop(path, None)
        else:
            names[path] = what


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"
