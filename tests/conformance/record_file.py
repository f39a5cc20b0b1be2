"""Records in a file, for clients that are programs of another language.

Big-endian, records one after another: partition i32, offset i64, timestamp i64, key, value,
header count i32, then name and value of each header. Texts and bytes carry an i32 length before
them, -1 for null.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.records import Record

_PLACE = struct.Struct(">iqq")
_INT = struct.Struct(">i")
_NULL = _INT.pack(-1)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write the records to a new file."""
    with path.open("wb") as file:
        for record in records:
            file.write(_PLACE.pack(record.partition, record.offset, record.timestamp_ms))
            file.write(_sized(record.key) + _sized(record.value))
            file.write(_INT.pack(len(record.headers)))
            for name, value in record.headers:
                file.write(_sized(name.encode()) + _sized(value))


def read_records(path: Path) -> list[Record]:
    """Return the records of a file."""
    return list(_records(path.read_bytes()))


def _sized(text: bytes | None) -> bytes:
    return _NULL if text is None else _INT.pack(len(text)) + text


def _records(content: bytes) -> Iterator[Record]:
    at = 0

    def sized() -> bytes | None:
        nonlocal at
        size = _INT.unpack_from(content, at)[0]
        at += _INT.size
        if size < 0:
            return None
        at += size
        return content[at - size : at]

    while at < len(content):
        partition, offset, timestamp_ms = _PLACE.unpack_from(content, at)
        at += _PLACE.size
        key, value = sized(), sized()
        count = _INT.unpack_from(content, at)[0]
        at += _INT.size
        headers = tuple(((sized() or b"").decode(), sized()) for _ in range(count))
        yield Record(partition, offset, timestamp_ms, key, value, headers)
