"""Whose objects a clone lists besides its own: the partitions that it was made from.

An entry tells by a number where its object lies: 0 for the partition itself, any other for a row of
the root's table of origins. The numbers stay the same for as long as the root has the table.

Layout of the table, by columns, little-endian: topic id 16s, partition u32, end i64, ver u64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from everlog.format.column_table import Column, ColumnTable, Layout
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import OFFSET_MAX, VER_MAX, PartitionPath
from everlog.format.page_refs import ref_origins
from everlog.format.span_table import SpanTable
from everlog.model.ids import TopicId
from everlog.model.offsets import Offset

ORIGINS_MAX = 255
"""Entries have eight bits for them."""

ORIGIN_LAYOUT = Layout(
    Column("topic_id", "16s"), Column("partition", "I"), Column("end", "q"), Column("ver", "Q")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A partition of the same cluster, and which of its objects are listed at most.

    Attributes:
        end: All of them end at or below it.
        ver: None was made for a later commit.
    """

    path: PartitionPath
    end: Offset
    ver: int


def origin_table(origins: Sequence[Origin]) -> ColumnTable:
    """Store origins."""
    rows = ((each.path.topic_id, each.path.partition, each.end, each.ver) for each in origins)
    return ColumnTable.of_rows(ORIGIN_LAYOUT, rows)


def origins_of(table: ColumnTable, *, cluster_id: str) -> tuple[Origin, ...]:
    """Read stored origins.

    Raises:
        InvalidKeyError: One is no possible partition.
    """
    found = []
    for index in range(len(table)):
        topic_id, partition, end, ver = table.row(index)
        path = PartitionPath(cluster_id=cluster_id, topic_id=TopicId(topic_id), partition=partition)
        found.append(Origin(path=path, end=Offset(end), ver=ver))
    return tuple(found)


def home_of(number: int, *, own: PartitionPath, origins: Sequence[Origin]) -> PartitionPath:
    """Return below whose names an object lies.

    Raises:
        CorruptObjectError: There is no such origin.
    """
    if number > len(origins):
        raise CorruptObjectError("manifest", f"an object is of origin {number}, {len(origins)} are")
    return origins[number - 1].path if number else own


def origins_fault(
    origins: Sequence[Origin], *, own: PartitionPath, refs: SpanTable, numbers: Sequence[int]
) -> str | None:
    """Return what is wrong with a root's origins, if anything is; ``numbers`` are its entries'."""
    paths = {each.path for each in origins}
    if len(origins) > ORIGINS_MAX or len(paths) < len(origins) or own in paths:
        return f"its {len(origins)} origins are too many, or not different partitions"
    if any(not 0 <= each.end <= OFFSET_MAX or each.ver > VER_MAX for each in origins):
        return "an origin ends where no log can end"
    if max(numbers, default=0) > len(origins) or (ref_origins(refs) and not origins):
        return f"it has {len(origins)} origins and lists objects of others"
    return None
