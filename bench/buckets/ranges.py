"""What is read of a bucket when everything is read: its segment objects, in ranges."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_SEGMENTS = "/seg/"


class ObjectRange(NamedTuple):
    """Bytes ``[start, start + length)`` of an object."""

    key: str
    start: int
    length: int


def segment_ranges(client: Any, bucket: str, range_bytes: int) -> list[ObjectRange]:
    """List a bucket's segment objects, oldest first, as ranges.

    Args:
        client: Of boto3.
        bucket: Its name.
        range_bytes: Of all ranges of an object but the last.
    """
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    sizes = {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", ())}
    segments = sorted(key for key in sizes if _SEGMENTS in key)
    return [each for key in segments for each in cut(key, sizes[key], range_bytes)]


def cut(key: str, size: int, range_bytes: int) -> Iterator[ObjectRange]:
    """Cut one object."""
    for start in range(0, size, range_bytes):
        yield ObjectRange(key, start, min(range_bytes, size - start))


def total_bytes(ranges: Iterable[ObjectRange]) -> int:
    """Add up what is read."""
    return sum(each.length for each in ranges)
