"""The frame of a log's small files: at the end a CRC-32C, little-endian, of all that is before."""

from struct import Struct

from crc32c import crc32c

from everlog.model.errors import CorruptionError

_CRC = Struct("<I")


def with_checksum(body: bytes | bytearray) -> bytes:
    """Return the body and its checksum."""
    return bytes(body + _CRC.pack(crc32c(body)))


def without_checksum(content: bytes, *, bytes_min: int, name: str) -> memoryview:
    """Return the body of what `with_checksum` made.

    Args:
        content: A whole file.
        bytes_min: What the body holds at least.
        name: Of the file, for the error.

    Raises:
        CorruptionError: It is damaged.
    """
    body = memoryview(content)[: -_CRC.size]
    if len(body) < bytes_min or content[-_CRC.size :] != _CRC.pack(crc32c(body)):
        raise CorruptionError(f"the {name} is damaged or cut off")
    return body
