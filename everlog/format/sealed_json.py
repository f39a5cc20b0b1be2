"""JSON for people with a checksum as its last field, in one line: small objects written once."""

import json
import re
from collections.abc import Mapping
from typing import Any

from everlog.format.checksum import crc32c
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError

_TAIL = re.compile(rb'(\{.*),"crc32c":"([0-9a-f]{8})"\}\n?', re.DOTALL)


def seal_json(fields: Mapping[str, Any]) -> bytes:
    """Write an object of at least one field, ``format`` among them."""
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=True)
    return seal_body(text.removesuffix("}").encode("ascii"))


def seal_body(body: bytes) -> bytes:
    """Write an object whose text is there already, but for the brace that ends it."""
    return b'%s,"crc32c":"%08x"}\n' % (body, crc32c(body))


def unseal_json(content: bytes, *, what: str, format_max: int) -> dict[str, Any]:
    """Read what `seal_json` wrote, without the checksum.

    Raises:
        CorruptObjectError: It is something else, or was damaged.
        UnsupportedFormatError: A newer Everlog wrote it.
    """
    frame = _TAIL.fullmatch(content)
    if frame is None or crc32c(frame[1]) != int(frame[2], 16):
        raise CorruptObjectError(what, "it is no JSON with a matching checksum")
    try:
        fields = json.loads(frame[1] + b"}")
        found = fields["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptObjectError(what, f"{type(error).__name__}: {error}") from error
    if type(found) is not int or found > format_max:
        raise UnsupportedFormatError(what, found, format_max)
    assert isinstance(fields, dict), "whatever has a key is an object"
    return fields
