"""The frame that roots and pages share: magic and format first, CRC-32C of all that last.

The frame is the same in every format, so that damage and novelty are told apart: bytes are first
shown to be sound, and only then asked for their format.
"""

from struct import Struct

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError

_FRAME_HEAD = Struct("<8sH")
_CRC = Struct("<I")


def sealed(body: bytes) -> bytes:
    """Return the body, which begins with magic and format, and its checksum."""
    return body + _CRC.pack(crc32c(body))


def unsealed(
    data: bytes, *, magic: bytes, header_bytes: int, format_max: int, what: str
) -> memoryview:
    """Check the frame of ``data``; return everything before the checksum.

    Args:
        data: A whole object.
        magic: What it has to begin with.
        header_bytes: What a sound object holds at least before the checksum.
        format_max: The greatest format that the caller reads.
        what: Names the object in errors.

    Raises:
        CorruptObjectError: The bytes are no whole object of this kind.
        UnsupportedFormatError: They are, of a later format.
    """
    if len(data) < _FRAME_HEAD.size + _CRC.size:
        raise CorruptObjectError(what, f"{len(data)} bytes are too few")
    found_magic, found_format = _FRAME_HEAD.unpack_from(data)
    if found_magic != magic:
        raise CorruptObjectError(what, f"it begins with {found_magic!r} instead of {magic!r}")
    body = memoryview(data)[: -_CRC.size]
    (stored,) = _CRC.unpack_from(data, len(body))
    if crc32c(body) != stored:
        raise CorruptObjectError(what, "its checksum does not match")
    if found_format > format_max:
        raise UnsupportedFormatError(what, found_format, format_max)
    if not found_format or len(body) < header_bytes:
        raise CorruptObjectError(what, f"format {found_format} in {len(data)} bytes")
    return body
