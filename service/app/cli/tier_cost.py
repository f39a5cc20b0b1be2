"""What a tier costs, by the objects that it has: requests and money, pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from everlog.format.root import INLINE_ENTRIES_MAX
from everlog.model.storage_class import StorageClass
from everlog.stores.s3_settings import MULTIPART_BYTES_MIN, PART_BYTES
from service.app.cli.archive_sums import ArchiveSums
from service.app.cli.prices import Prices

GIB = 1 << 30
MANIFEST_PUTS = 2
"""A root and the hint, if each object is a commit of its own; they may share one."""

VERIFYING_HEADS = 1
"""An object is looked at once after its upload."""


def puts_of(object_bytes: int) -> float:
    """Return how many requests it takes to write an object and to commit it."""
    uploads = 1
    if object_bytes >= MULTIPART_BYTES_MIN:
        uploads = 2 + -(-object_bytes // PART_BYTES)
    return uploads + MANIFEST_PUTS + 1 / INLINE_ENTRIES_MAX


def gets_of(object_bytes: int, *, range_bytes: int) -> int:
    """Return how many requests it takes to read an object to its end: its index, and its ranges."""
    return 1 + -(-object_bytes // range_bytes)


def bytes_by_class(archive: Mapping[int, ArchiveSums]) -> dict[str, int]:
    """Add up the bytes in each storage class, in the order of names."""
    sums: Counter[str] = Counter()
    for each in archive.values():
        sums.update(each.bytes_by_class)
        default = each.bytes - sum(each.bytes_by_class.values())
        if default:
            sums[StorageClass.STANDARD.name] += default
    return dict(sorted(sums.items()))


def cost_facts(
    archive: Mapping[int, ArchiveSums], prices: Prices, *, range_bytes: int
) -> dict[str, Any] | None:
    """Return requests and money; None if there is no object to go by.

    Args:
        archive: By partition.
        prices: Of the store.
        range_bytes: How much a broker reads in one request.
    """
    objects = sum(each.objects for each in archive.values())
    size = sum(each.bytes for each in archive.values())
    if not objects:
        return None
    mean = size // objects
    gets = gets_of(mean, range_bytes=range_bytes)
    objects_gib = GIB / mean
    by_class = bytes_by_class(archive)
    months = {name: part / GIB * prices.month_of(name) for name, part in by_class.items()}
    reads = sum(part / GIB * prices.read_of(name) for name, part in by_class.items())
    put, get = prices.put_1000 / 1000, prices.get_1000 / 1000
    return {
        "prices": prices.name,
        "currency": prices.currency,
        "month": sum(months.values()),
        "month_by_class": months,
        "write_puts_gib": objects_gib * puts_of(mean),
        "write_gib": objects_gib * (puts_of(mean) * put + VERIFYING_HEADS * get),
        "scan_gets": objects * gets,
        "scan_gets_gib": objects_gib * gets,
        "scan_gib": objects_gib * gets * get + prices.out_gib + reads * GIB / size,
        "scan": objects * gets * get + size / GIB * prices.out_gib + reads,
    }
