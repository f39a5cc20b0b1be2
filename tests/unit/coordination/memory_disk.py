"""A disk in memory that forgets, at a crash, what was not synced."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from typing_extensions import override

from service.model.disk import Buffer, DiskFullError


class PowerCutError(Exception):
    """The machine has stopped: this call was not finished, and none after it begins."""


Survival = Callable[[bytes, bytes], bytes]
"""(synced, written) bytes of a file -> what is there after the crash."""


def nothing_more(synced: bytes, _written: bytes) -> bytes:
    return synced


def all_of_it(_synced: bytes, written: bytes) -> bytes:
    return written


def the_first_half(synced: bytes, written: bytes) -> bytes:
    if written[: len(synced)] != synced:
        return synced
    return written[: (len(synced) + len(written)) // 2]


def the_second_half(synced: bytes, written: bytes) -> bytes:
    """The size is there, and the later pages, but those before are still zeros."""
    if written[: len(synced)] != synced:
        return synced
    middle = (len(synced) + len(written)) // 2
    return synced + bytes(middle - len(synced)) + written[middle:]


class _Content:
    def __init__(self, synced: bytes = b"") -> None:
        self.synced = synced
        self.written = bytearray(synced)


class MemoryFile:
    def __init__(self, disk: "MemoryDisk", path: str, content: _Content) -> None:
        self._disk = disk
        self._path = path
        self._content = content

    def write_at(self, position: int, buffers: Sequence[Buffer]) -> int:
        data = b"".join(buffers)
        written = self._content.written
        try:
            self._disk.step("write", self._path, len(data))
        except (DiskFullError, PowerCutError):
            # A part of it may have got there.
            written[position:] = data[: len(data) // 2]
            raise
        written[position : position + len(data)] = data
        return len(data)

    def read_at(self, position: int, length: int) -> bytes:
        return bytes(self._content.written[position : position + length])

    def read_cached(self, position: int, length: int) -> bytes | None:
        return self.read_at(position, length)

    def sync(self) -> None:
        self._disk.step("sync", self._path)
        self._content.synced = bytes(self._content.written)

    def truncate(self, size: int) -> None:
        self._disk.step("truncate", self._path)
        del self._content.written[size:]

    def size(self) -> int:
        return len(self._content.written)

    def close(self) -> None:
        return


class MemoryDisk:
    """`steps_left` counts down the calls that change something; at zero the power goes."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        contents = {path: _Content(content) for path, content in (files or {}).items()}
        self._names = dict(contents)
        self._synced_names = dict(contents)
        self.steps_left: int | None = None
        self.free = 1 << 40
        self.syncs = 0

    def step(self, operation: str, path: str, size: int = 0) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise PowerCutError(f"{operation} {path}")
            self.steps_left -= 1
        if size > self.free:
            raise DiskFullError(operation, path, "no space left")
        self.syncs += operation == "sync"

    def after_crash(self, survival: Survival, *, names_survive: bool = False) -> "MemoryDisk":
        """Return the disk as the next process finds it."""
        names = self._names if names_survive else self._synced_names
        return MemoryDisk(
            {path: survival(file.synced, bytes(file.written)) for path, file in names.items()}
        )

    def content(self, path: str) -> bytes:
        return bytes(self._names[path].written)

    def open(self, path: str, *, create: bool = False, writable: bool = True) -> MemoryFile:
        if path not in self._names:
            if not create:
                raise FileNotFoundError(path)
            self.step("create", path)
            self._names[path] = _Content()
        return MemoryFile(self, path, self._names[path])

    def read_file(self, path: str) -> bytes:
        if path not in self._names:
            raise FileNotFoundError(path)
        return self.content(path)

    def write_file_atomically(self, path: str, content: Buffer) -> None:
        self.step("replace", path, len(content))
        self._names[path] = self._synced_names[path] = _Content(bytes(content))

    def make_dirs(self, path: str) -> None:
        return

    def list_dir(self, path: str) -> list[tuple[str, int]]:
        start = len(path) + 1
        return sorted(
            (name[start:], len(file.written))
            for name, file in self._names.items()
            if name.startswith(f"{path}/")
        )

    def rename(self, old: str, new: str) -> None:
        self.step("rename", old)
        self._names[new] = self._names.pop(old)

    def unlink(self, path: str) -> None:
        self.step("unlink", path)
        del self._names[path]

    def remove_tree(self, path: str) -> None:
        self.step("remove", path)
        for name in [name for name in self._names if name.startswith(f"{path}/")]:
            del self._names[name]

    def remove_empty_dir(self, path: str) -> bool:
        return not self.list_dir(path)

    def sync_dir(self, path: str) -> None:
        self.step("sync_dir", path)
        self._synced_names = dict(self._names)

    def free_bytes(self, path: str) -> tuple[int, int]:
        return self.free, 1 << 40


class InlineExecutor(Executor):
    """Runs each call at once: the order of disk calls is then that of the program."""

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (an executor hands on whatever there is)
            future.set_exception(error)
        return future


class HeldExecutor(InlineExecutor):
    """Runs calls only when it is told to, once it holds them."""

    def __init__(self) -> None:
        self.is_holding = False
        self.waiting: list[tuple[Future[Any], Any]] = []

    @override
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not self.is_holding:
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    async def release(self) -> None:
        future, call = self.waiting.pop(0)
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001  (an executor hands on whatever there is)
            future.set_exception(error)
        await turns()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
