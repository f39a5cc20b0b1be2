"""ZooKeeper's encoding: big-endian numbers, strings and buffers behind their length, frames.

```
frame  = length i32 | content
string = length i32 | UTF-8          -1 stands for none, which is read as the empty one
buffer = length i32 | bytes          likewise
vector = count i32 | element*
bool   = u8
```
Nothing is taken at its word: a length is held against what is there before anything is made of it.
"""

import struct

from everlog.model.errors import RejectedError

FRAME_BYTES_MAX = 0xFFFFF
"""ZooKeeper's default of jute.maxbuffer."""

_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")


class ProtocolError(RejectedError):
    """The other side keeps to no protocol, or to no limit; its connection has to end."""


class FrameBuffer:
    """Cuts what arrives into frames. Holds one frame and what was received behind it at most."""

    def __init__(self, *, frame_bytes_max: int) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._bytes = bytearray()

    def feed(self, received: bytes) -> None:
        """Take what has arrived."""
        self._bytes += received

    def word(self) -> bytes:
        """Return the next four bytes, or fewer if there are no more; they stay."""
        return bytes(self._bytes[:4])

    def next(self) -> bytes | None:
        """Return the content of the next frame; None if it is not all there.

        Raises:
            ProtocolError: It is too large, or has a negative length.
        """
        if len(self._bytes) < _INT.size:
            return None
        (length,) = _INT.unpack_from(self._bytes)
        if not 0 <= length <= self._frame_bytes_max:
            raise ProtocolError(f"a frame of {length} bytes; {self._frame_bytes_max} are allowed")
        end = _INT.size + length
        if len(self._bytes) < end:
            return None
        content = bytes(self._bytes[_INT.size : end])
        del self._bytes[:end]
        return content


class Reader:
    """Reads the content of one frame from its beginning to its end.

    Every method raises `ProtocolError` if what it reads is not there.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        """Whether everything has been read."""
        return self._position == len(self._content)

    def int32(self) -> int:
        """Read 32 bits with a sign."""
        return int(_INT.unpack(self._take(_INT.size))[0])

    def int64(self) -> int:
        """Read 64 bits with a sign."""
        return int(_LONG.unpack(self._take(_LONG.size))[0])

    def flag(self) -> bool:
        """Read a byte as Java does: all but zero is true."""
        return self._take(1) != b"\0"

    def buffer(self) -> bytes:
        """Read bytes behind their length."""
        length = self.int32()
        return b"" if length == -1 else self._take(length)

    def string(self) -> str:
        """Read UTF-8 behind its length in bytes."""
        try:
            return self.buffer().decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a string that is not UTF-8: {error.reason}") from error

    def finish(self) -> None:
        """Raise `ProtocolError` if something is left."""
        if not self.is_at_end:
            raise ProtocolError(f"{len(self._content) - self._position} bytes too many in a frame")

    def _take(self, length: int) -> bytes:
        end = self._position + length
        if length < 0 or end > len(self._content):
            raise ProtocolError(
                f"{length} bytes wanted at {self._position} of {len(self._content)} in a frame"
            )
        taken = self._content[self._position : end]
        self._position = end
        return taken


def frame(content: bytes) -> bytes:
    """Put the length before the content of a frame."""
    return _INT.pack(len(content)) + content


def buffer(content: bytes) -> bytes:
    """Put the length before bytes."""
    return _INT.pack(len(content)) + content


def string(text: str) -> bytes:
    """Put the length before UTF-8."""
    return buffer(text.encode())


def vector(elements: list[bytes]) -> bytes:
    """Put their count before encoded elements."""
    return _INT.pack(len(elements)) + b"".join(elements)
