"""The records that every client writes and reads back: one definition, compared field by field."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import shake_256
from typing import NamedTuple

RECORDS_ENV = "CONFORMANCE_RECORDS"
RECORDS_DEFAULT = 10_000

PARTITIONS = 4

Headers = tuple[tuple[str, bytes | None], ...]

_FIRST_TIMESTAMP_MS = 1_600_000_000_000


class Record(NamedTuple):
    """One record with its place in a topic."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a client's interface is able to say; everything that it can say is tried."""

    timestamps: bool = True
    own_headers: bool = True  # False: one set of headers, text only, on every record
    null_headers: bool = True
    null_key_and_value: bool = True
    empty_keys_and_values: bool = True


def record_count() -> int:
    """Return how many records each client writes with each codec."""
    return int(os.environ.get(RECORDS_ENV, RECORDS_DEFAULT))


@cache
def make_records(count: int, shape: Shape) -> tuple[Record, ...]:
    """Return ``count`` records, the same on every run, spread over four partitions.

    Keys and values are null, empty, short and up to 8 KiB, some compressible and some not;
    timestamps go back and forth; headers are none, several, repeated, binary and null.
    """
    nexts = [0] * PARTITIONS
    records = []
    for number in range(count):
        noise = shake_256(number.to_bytes(8)).digest(16)
        # As keys scatter records, not in strict rotation.
        partition = noise[0] % PARTITIONS
        records.append(
            Record(
                partition=partition,
                offset=nexts[partition],
                timestamp_ms=_FIRST_TIMESTAMP_MS + 10 * number + noise[1],
                key=_key(number, noise, shape),
                value=_value(number, noise, shape),
                headers=_headers(number, noise, shape),
            )
        )
        nexts[partition] += 1
    return tuple(records)


def _key(number: int, noise: bytes, shape: Shape) -> bytes | None:
    if noise[2] % 4 == 0:
        return None
    if noise[2] % 16 == 1:
        return b"" if shape.empty_keys_and_values else None
    return shake_256(b"key %d" % (number % 1000)).digest(1 + noise[3] % 40)


def _value(number: int, noise: bytes, shape: Shape) -> bytes | None:
    match noise[4] % 32:
        case 0:
            null_is_sayable = shape.null_key_and_value or _key(number, noise, shape) is not None
            return None if null_is_sayable else b""
        case 1:
            return b"" if shape.empty_keys_and_values else None
        case 2:
            size = 32 + noise[5] * 32
        case _:
            size = 1 + noise[5]
    if noise[6] % 2:
        return shake_256(b"value %d" % number).digest(size)
    return (b"record %d of a compressible kind; " % number * (size // 24 + 1))[:size]


def _headers(number: int, noise: bytes, shape: Shape) -> Headers:
    if not shape.own_headers:
        return (("kind", b"conformance"), ("empty", b""))
    if noise[7] % 4:
        return ()
    null = None if shape.null_headers else b""
    return (
        ("trace", noise),
        ("repeated", b"first"),
        ("repeated", b"%d" % number),
        ("größe", b"\x00\xff\n\r,="),
        ("empty", b""),
        ("null", null),
    )[: 1 + noise[8] % 6]


def assert_same(read: Iterable[Record], written: Sequence[Record]) -> None:
    """Compare in order per partition, and say where the first difference is.

    pytest's own comparison of ten thousand long tuples takes minutes.
    """
    by_partition = sorted(read, key=lambda record: record.partition)
    expected = sorted(written, key=lambda record: record.partition)
    for got, wanted in zip(by_partition, expected, strict=False):
        if got != wanted:
            raise AssertionError(f"expected {_short(wanted)}\n but read {_short(got)}")
    if len(by_partition) != len(expected):
        raise AssertionError(f"read {len(by_partition)} records instead of {len(expected)}")


def _short(record: Record) -> str:
    text = repr(tuple(record))
    return text if len(text) <= 1000 else f"{text[:1000]}..."


def without_timestamps(records: Iterable[Record]) -> list[Record]:
    """Return the records with timestamp 0, for clients that stamp the time of sending."""
    return [record._replace(timestamp_ms=0) for record in records]


def ends(records: Iterable[Record]) -> dict[int, int]:
    """Return, by partition, the offset after its last record."""
    last: dict[int, int] = {}
    for record in records:
        last[record.partition] = max(last.get(record.partition, 0), record.offset + 1)
    return last
