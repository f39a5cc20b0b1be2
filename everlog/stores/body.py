"""The bytes of a new object, read from where they are and watched on their way out."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from crc32c import crc32c as crc32c_of

from everlog.model.buffer import Buffer
from everlog.stores.call_threads import CallStoppedError
from everlog.stores.errors import StoreCorruptionError
from everlog.stores.object_key import ObjectKey

"""Bytes in memory; a memoryview has one of them in each item."""

COPY_BYTES = 1 << 20
"""How much of a body is in memory at a time."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A range of a file, ``[position, position + length)``.

    Attributes:
        file: A path, or an open descriptor that the caller keeps open until the call ends. A store
            in another process takes paths only.
    """

    file: str | int
    position: int
    length: int

    def __len__(self) -> int:
        return self.length


BodyPart = FilePart | Buffer
"""Bytes in memory or in a file; they must not change while a call has them."""


def body_size(parts: Sequence[BodyPart]) -> int:
    """Return how many bytes the parts have together."""
    return sum(len(part) for part in parts)


def body_range(parts: Sequence[BodyPart], start: int, length: int) -> list[BodyPart]:
    """Return the parts of ``[start, start + length)`` of a body, without touching a byte."""
    found: list[BodyPart] = []
    end = start + length
    at = 0
    for part in parts:
        low, high = max(start - at, 0), min(end - at, len(part))
        if low < high:
            found.append(_part_range(part, low, high))
        at += len(part)
    return found


def _part_range(part: BodyPart, low: int, high: int) -> BodyPart:
    if isinstance(part, FilePart):
        return FilePart(part.file, part.position + low, high - low)
    return memoryview(part)[low:high]


class BodyReader:
    """A stream of parts that gives out its last bytes only if all have the promised checksum.

    So a body that changed under its sender ends too early for the receiver, which then stores
    nothing. Enough of a file object for an HTTP client: ``read``, ``tell``, ``len``, and ``seek``
    to the start.

    Attributes:
        failure: Why the last `read` raised; HTTP clients wrap what a body raises beyond
            recognition.
    """

    def __init__(
        self,
        key: ObjectKey,
        parts: Sequence[BodyPart],
        *,
        crc32c: int,
        stop: threading.Event,
    ) -> None:
        self.failure: StoreCorruptionError | CallStoppedError | None = None
        self._key = key
        self._parts = tuple(part for part in parts if len(part))
        self._size = body_size(parts)
        self._promised_crc32c = crc32c
        self._stop = stop
        self._opened: tuple[str, int] | None = None
        self._rewind()
        if not self._size:
            self._check_end()

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` next bytes, fewer where a part ends; empty at the end.

        Raises:
            StoreCorruptionError: A file is shorter than its part, cannot be read, or the checksum
                is not the promised.
            CallStoppedError: Nobody wants the result any more.
        """
        if self._stop.is_set():
            self.failure = CallStoppedError()
            raise self.failure
        if self._position == self._size:
            return b""
        part = self._parts[self._index]
        left = len(part) - self._in_part
        taken = self._read_part(part, left if size < 0 else min(size, left))
        self._advance(taken, part_ends=len(taken) == left)
        return taken

    def seek(self, position: int) -> int:
        """Go back to the start; nowhere else, since the checksum has to see every byte."""
        if position != 0:
            raise OSError(f"a body can only be read from its start, not from {position}")
        self._rewind()
        return position

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._position

    def close(self) -> None:
        """Close the file that the body opened last."""
        if self._opened is not None:
            os.close(self._opened[1])
            self._opened = None

    def _rewind(self) -> None:
        self._index = 0
        self._in_part = 0
        self._position = 0
        self._crc32c = 0

    def _read_part(self, part: BodyPart, size: int) -> bytes:
        if not isinstance(part, FilePart):
            return bytes(memoryview(part)[self._in_part : self._in_part + size])
        try:
            taken = os.pread(self._descriptor(part), size, part.position + self._in_part)
        except OSError as error:
            raise self._failed(f"its source {part.file} cannot be read: {error}") from error
        if not taken:
            raise self._failed(
                f"its source {part.file} ends at {part.position + self._in_part}, "
                f"{part.length - self._in_part} bytes too early"
            )
        return taken

    def _descriptor(self, part: FilePart) -> int:
        if isinstance(part.file, int):
            return part.file
        if self._opened is None or self._opened[0] != part.file:
            self.close()
            self._opened = (part.file, os.open(part.file, os.O_RDONLY | os.O_CLOEXEC))
        return self._opened[1]

    def _advance(self, taken: bytes, *, part_ends: bool) -> None:
        self._crc32c = crc32c_of(taken, self._crc32c)
        self._position += len(taken)
        self._in_part += len(taken)
        if part_ends:
            self._index += 1
            self._in_part = 0
        if self._position == self._size:
            self._check_end()

    def _check_end(self) -> None:
        if self._crc32c != self._promised_crc32c:
            raise self._failed(
                f"its bytes have crc32c {self._crc32c:08x}, not the promised "
                f"{self._promised_crc32c:08x}"
            )

    def _failed(self, reason: str) -> StoreCorruptionError:
        self.failure = StoreCorruptionError("create", self._key, reason)
        return self.failure
