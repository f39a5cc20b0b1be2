"""Reads a segment file batch by batch, and finds out where it stops being one."""

from collections.abc import Iterator

from everlog.records.batch import HEADER_BYTES, MAGIC, BatchHeader, batch_crc, read_header
from service.model.disk import File

SCAN_BYTES = 1024 * 1024
"""Read at a time while scanning; a larger batch is read whole."""

BATCH_BYTES_MAX = 100 * 1024 * 1024
"""Nothing larger fits into a request (``socket.request.max.bytes``): it would be damage."""

CUT_OFF = "a batch is cut off"

_MAGIC_AT = 16
_MAGIC_BYTE = bytes([MAGIC])


class TornTail:
    """Where a scan stopped: the position of the first byte that is not part of a whole batch.

    Attributes:
        is_cut_off: Whether the file just ends in the middle of a batch.
    """

    __slots__ = ("is_cut_off", "position", "reason")

    def __init__(self, position: int, reason: str) -> None:
        self.position = position
        self.reason = reason
        self.is_cut_off = reason == CUT_OFF


def scan(file: File, size: int, *, start: int = 0) -> Iterator[tuple[int, BatchHeader] | TornTail]:
    """Yield (position, header) of each whole and undamaged batch; last, where the scan stopped.

    A file that ends with its last batch yields a tail at its very end.
    """
    position = start
    window = memoryview(b"")
    window_at = 0
    while size - position >= HEADER_BYTES:
        if position + HEADER_BYTES > window_at + len(window):
            window_at, window = position, memoryview(file.read_at(position, SCAN_BYTES))
        header = read_header(window, position - window_at)
        reason = implausible(header, size - position)
        if reason is None and position + header.size > window_at + len(window):
            window_at = position
            window = memoryview(file.read_at(position, max(SCAN_BYTES, header.size)))
        if reason is None and batch_crc(window, position - window_at, header.size) != header.crc:
            reason = "its checksum does not match"
        if reason is not None:
            yield TornTail(position, reason)
            return
        yield position, header
        position += header.size
    yield TornTail(position, CUT_OFF if position < size else "")


def implausible(header: BatchHeader, left: int) -> str | None:
    """Say why no batch of ``left`` bytes at most can begin with a header; None if one can."""
    if header.magic != MAGIC:
        return f"there is no batch (magic {header.magic})"
    if not HEADER_BYTES <= header.size <= BATCH_BYTES_MAX:
        return f"a batch claims {header.size} bytes"
    if header.size > left:
        return CUT_OFF
    return None


def holds_batch(rest: bytes, next_offset: int) -> bool:
    """Whether a whole and undamaged batch of this log begins anywhere behind the first byte."""
    prefix = (next_offset >> 32).to_bytes(4, "big")
    # Looked for by its magic byte: a power cut leaves long runs of zeros, which offsets begin with.
    magic_at = rest.find(_MAGIC_BYTE, _MAGIC_AT + 1)
    while magic_at >= 0:
        position = magic_at - _MAGIC_AT
        if rest.startswith(prefix, position) and _is_batch(rest, position, next_offset):
            return True
        magic_at = rest.find(_MAGIC_BYTE, magic_at + 1)
    return False


def _is_batch(rest: bytes, position: int, next_offset: int) -> bool:
    left = len(rest) - position
    if left < HEADER_BYTES:
        return False
    header = read_header(rest, position)
    return (
        implausible(header, left) is None
        and header.base_offset >= next_offset
        and batch_crc(rest, position, header.size) == header.crc
    )
