"""CRC32C as S3 writes it: the base64 of four bytes, most significant first."""

import base64
from collections.abc import Mapping
from typing import Any


def checksum_text(crc32c: int) -> str:
    """Write a checksum for a request."""
    return base64.b64encode(crc32c.to_bytes(4, "big")).decode()


def checksum_in(answer: Mapping[str, Any]) -> int | None:
    """Return the checksum of the whole object in an answer, if there is one.

    Older stores answer a multipart upload with a checksum of checksums, which ends in a dash and a
    number of parts.
    """
    text = answer.get("ChecksumCRC32C")
    if not text or "-" in text or answer.get("ChecksumType") == "COMPOSITE":
        return None
    return int.from_bytes(base64.b64decode(text), "big")
