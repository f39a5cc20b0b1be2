"""From received bytes to frames: each is a size of four bytes and that many bytes of request.

A connection that waits owns no buffer: all connections of a loop receive into one staging area,
which works because a loop reads from one socket at a time. Frames are copied out of it once; a
large one is received straight into memory of its own, which the log may keep until the batch is
written.
"""

from service.protocol.errors import ProtocolError
from service.protocol.frame_memory import FrameMemory

FRAME_BYTES_MAX = 100 * 1024 * 1024
"""Kafka's ``socket.request.max.bytes``."""

STAGING_BYTES = 64 * 1024
"""One read of this many bytes carries hundreds of small requests."""

OWN_MEMORY_BYTES_MIN = 8 * 1024
"""A frame that is not complete and is larger than this is received into memory of its own."""

LENT_MEMORY_BYTES_MIN = 128 * 1024
"""From here on memory is lent: clearing it would cost more than finding it."""

_SIZE_BYTES = 4


class FrameTooLargeError(ProtocolError):
    """A size that is no size of a request: zero, negative or above the limit."""

    def __init__(self, size: int, prefix: bytes) -> None:
        super().__init__(f"a frame cannot have {size} bytes{_hint(prefix)}")
        self.size = size


class FrameReceiver:
    """Cuts what is received on one connection into frames."""

    __slots__ = ("_filled", "_frame", "_frame_bytes_max", "_memory", "_partial", "_staging")

    def __init__(
        self, staging: bytearray, memory: FrameMemory, *, frame_bytes_max: int = FRAME_BYTES_MAX
    ) -> None:
        self._staging = staging
        self._memory = memory
        self._frame_bytes_max = frame_bytes_max
        self._partial = b""
        self._frame: memoryview | None = None
        self._filled = 0

    @property
    def is_idle(self) -> bool:
        """Whether no frame has been begun."""
        return self._frame is None and not self._partial

    def buffer(self) -> memoryview:
        """Return where to receive the next bytes; `received` has to be the next call."""
        if self._frame is not None:
            return self._frame[self._filled :]
        held = len(self._partial)
        if held:
            self._staging[:held] = self._partial
        return memoryview(self._staging)[held:]

    def received(self, size: int) -> list[memoryview]:
        """Take note of received bytes; return the frames that they complete, writable, in order.

        Raises:
            FrameTooLargeError: A size prefix is zero, negative or above ``frame_bytes_max``.
        """
        if self._frame is not None:
            self._filled += size
            if self._filled < len(self._frame):
                return []
            frame, self._frame = self._frame, None
            return [frame]
        end = len(self._partial) + size
        # One copy for all frames of this read; the staging area is free again afterwards.
        data = memoryview(bytearray(memoryview(self._staging)[:end]))
        self._partial = b""
        return self._split(data, end)

    def _split(self, data: memoryview, end: int) -> list[memoryview]:
        frames: list[memoryview] = []
        position = 0
        while end - position >= _SIZE_BYTES:
            size = int.from_bytes(data[position : position + _SIZE_BYTES], "big", signed=True)
            if not 0 < size <= self._frame_bytes_max:
                raise FrameTooLargeError(size, bytes(data[position : position + _SIZE_BYTES]))
            start = position + _SIZE_BYTES
            if end - start < size:
                if size >= OWN_MEMORY_BYTES_MIN:
                    self._begin_own(data[start:end], size)
                    return frames
                break
            frames.append(data[start : start + size])
            position = start + size
        self._partial = bytes(data[position:end])
        return frames

    def _begin_own(self, head: memoryview, size: int) -> None:
        """Receive the rest of a large frame into memory of its own."""
        is_lent = size >= LENT_MEMORY_BYTES_MIN
        self._frame = self._memory.take(size) if is_lent else memoryview(bytearray(size))
        self._filled = len(head)
        self._frame[: self._filled] = head


def _hint(prefix: bytes) -> str:
    """Say what a client of another protocol seems to be speaking."""
    if prefix[:2] == b"\x16\x03":
        return "; this looks like TLS on a plaintext port"
    if prefix in (b"GET ", b"POST", b"HEAD", b"PUT "):
        return "; this looks like HTTP"
    return ""
