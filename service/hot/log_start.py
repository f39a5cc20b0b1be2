"""The file ``log-start``: the first offset of a log, once something has moved it.

A stop between raising the start and removing old segments must not bring the records back.
"""

from struct import Struct

from everlog.model.errors import CorruptionError
from service.hot.checked_file import with_checksum, without_checksum

_MAGIC = b"EVLS"
_BODY = Struct("<4sq")


def encode_log_start(offset: int) -> bytes:
    """Write the file (layout: docs/formats.md)."""
    return with_checksum(_BODY.pack(_MAGIC, offset))


def decode_log_start(content: bytes) -> int:
    """Read the file.

    Raises:
        CorruptionError: It is damaged.
    """
    body = without_checksum(content, bytes_min=_BODY.size, name="file log-start")
    magic, offset = _BODY.unpack_from(body)
    if magic != _MAGIC or len(body) != _BODY.size:
        raise CorruptionError("the file log-start is of another kind")
    return int(offset)
