"""The file ``log-start``: the first offset of a log, once something has moved it.

A stop between raising the start and removing old segments must not bring the records back.
"""

from struct import Struct

from crc32c import crc32c

from everlog.model.errors import CorruptionError

_MAGIC = b"EVLS"
_BODY = Struct("<4sq")
_CRC = Struct("<I")


def encode_log_start(offset: int) -> bytes:
    """Write the file (layout: docs/formats.md)."""
    body = _BODY.pack(_MAGIC, offset)
    return body + _CRC.pack(crc32c(body))


def decode_log_start(content: bytes) -> int:
    """Read the file.

    Raises:
        CorruptionError: It is damaged.
    """
    if len(content) != _BODY.size + _CRC.size or content[_BODY.size :] != _CRC.pack(
        crc32c(content[: _BODY.size])
    ):
        raise CorruptionError("the file log-start is damaged")
    magic, offset = _BODY.unpack_from(content)
    if magic != _MAGIC:
        raise CorruptionError("the file log-start is of another kind")
    return int(offset)
