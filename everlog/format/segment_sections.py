"""What the sections of a segment object hold.

Numbers are little-endian. A table is its columns one after the other, each with one value for
each row. An index column holds what is left of its values above an origin, 4 bytes wide, or 8
where one of them needs it: a compacted object can span any number of offsets (TIER-5)::

    0 origin i64 | 8 values u32 | 12 width u16 4, 8 | 14 zeros | 16 values u32 or u64

``META`` is::

     0 topic id    16s   48 ver             u64    88 records     u64
    16 uid         16s   56 base offset     i64    96 batches     u64
    32 partition   u32   64 end offset      i64   104 data bytes  u64
    36 epoch       u32   72 first timestamp i64   112 created     i64 ms
    40 claim       u32   80 max timestamp   i64   120 CRC-32C of the batches u32
    44 end epoch   u32                            124 length of the cluster id u16, and it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import le, lt
from struct import Struct, pack

from everlog.format.column_table import Column, Layout, int_view
from everlog.format.entries import Entry
from everlog.format.errors import CorruptObjectError
from everlog.format.object_keys import InvalidKeyError, PartitionPath, SegmentKey, Stamp, Uid
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange

WHAT = "segment object"

NO_TIMESTAMP = -1
"""As record batches have it."""

CHUNK_LAYOUT = Layout(
    Column("position", "Q"),
    Column("base", "q"),
    Column("end", "q"),
    Column("max_timestamp", "q"),
    Column("length", "I"),
    Column("crc32c", "I"),
)
ABORTED_LAYOUT = Layout(
    Column("producer_id", "q"),
    Column("first_offset", "q"),
    Column("last_offset", "q"),
)
LINEAGE_LAYOUT = Layout(Column("start", "q"), Column("epoch", "I"))

_META = Struct("<16s16sIIIIQqqqqQQQqIH")
_INDEX_HEAD = Struct("<qIHH")
_CODES = {4: "I", 8: "Q"}
_NARROW_MAX = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class EpochStart:
    """A leader epoch and the first offset that was appended in it."""

    epoch: LeaderEpoch
    start: Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortedTransaction:
    """An aborted transaction, from its first record to its marker, both included."""

    producer_id: int
    first_offset: Offset
    last_offset: Offset


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentMeta:
    """Which object it is and what it holds.

    Attributes:
        key: The name under which it was stored.
        end_epoch: Leader epoch of the last offset of the range.
        first_timestamp: Base timestamp of the first batch, in ms; -1 without one.
        max_timestamp: Greatest of all records, in ms; -1 without one.
        data_bytes: Of the record batches.
        data_crc32c: Of the record batches.
    """

    key: SegmentKey
    end_epoch: LeaderEpoch
    first_timestamp: int
    max_timestamp: int
    records: int
    batches: int
    data_bytes: int
    data_crc32c: int
    created_ms: int

    def entry(self, *, size_bytes: int, crc32c: int, aborted: bool) -> Entry:
        """Return the manifest entry of the object, given what only its end can tell."""
        return Entry(
            offsets=self.key.offsets,
            max_timestamp=self.max_timestamp,
            size_bytes=size_bytes,
            data_bytes=self.data_bytes,
            records=self.records,
            stamp=self.key.stamp,
            uid=self.key.uid,
            crc32c=crc32c,
            aborted=aborted,
            created_ms=self.created_ms,
        )


@dataclass(frozen=True, slots=True)
class IndexColumn:
    """Ascending numbers, stored as what they are above ``origin`` and searched where they lie."""

    origin: int
    values: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)

    def is_ascending(self, *, strictly: bool) -> bool:
        """Whether bisection works on it."""
        return all(map(lt if strictly else le, self.values, self.values[1:]))


def encode_column(values: Sequence[int], *, origin: int) -> bytes:
    """Store an index column of numbers that are not below ``origin``."""
    above = [value - origin for value in values]
    width = 8 if max(above, default=0) > _NARROW_MAX else 4
    return _INDEX_HEAD.pack(origin, len(above), width, 0) + pack(
        f"<{len(above)}{_CODES[width]}", *above
    )


def decode_columns(data: bytes, count: int) -> list[IndexColumn]:
    """Read a section of ``count`` index columns of the same length.

    Raises:
        CorruptObjectError: It is something else.
    """
    columns, at = [], 0
    for _ in range(count):
        if len(data) - at < _INDEX_HEAD.size:
            raise CorruptObjectError(WHAT, "an index is cut off")
        origin, values, width, _ = _INDEX_HEAD.unpack_from(data, at)
        at += _INDEX_HEAD.size
        end = at + values * width
        if width not in _CODES or end > len(data):
            raise CorruptObjectError(WHAT, f"an index of {values} values of {width} bytes")
        columns.append(IndexColumn(origin, int_view(memoryview(data)[at:end], _CODES[width])))
        at = end
    if at != len(data) or len({len(column) for column in columns}) != 1:
        raise CorruptObjectError(WHAT, "the columns of an index differ in length")
    return columns


def encode_meta(meta: SegmentMeta) -> bytes:
    """Store the identity of an object."""
    key, path = meta.key, meta.key.path
    cluster_id = path.cluster_id.encode("ascii")
    fixed = _META.pack(
        path.topic_id,
        key.uid,
        path.partition,
        key.stamp.epoch,
        key.stamp.claim,
        meta.end_epoch,
        key.stamp.ver,
        key.offsets.start,
        key.offsets.end,
        meta.first_timestamp,
        meta.max_timestamp,
        meta.records,
        meta.batches,
        meta.data_bytes,
        meta.created_ms,
        meta.data_crc32c,
        len(cluster_id),
    )
    return fixed + cluster_id


def decode_meta(data: bytes) -> SegmentMeta:
    """Read the identity of an object.

    Raises:
        CorruptObjectError: It is something else.
    """
    if len(data) < _META.size:
        raise CorruptObjectError(WHAT, f"its identity has {len(data)} bytes")
    topic_id, uid, partition, epoch, claim, end_epoch, ver, base, end, *rest = _META.unpack_from(
        data
    )
    first_timestamp, max_timestamp, records, batches, data_bytes, created_ms, *rest = rest
    data_crc32c, cluster_bytes = rest
    cluster_id = data[_META.size :].decode("ascii", errors="replace")
    if not 0 <= base < end or len(data) - _META.size != cluster_bytes:
        raise CorruptObjectError(WHAT, f"its identity covers [{base}, {end}) for {cluster_id!r}")
    try:
        key = SegmentKey(
            path=PartitionPath(
                cluster_id=cluster_id, topic_id=TopicId(topic_id), partition=partition
            ),
            offsets=OffsetRange(Offset(base), Offset(end)),
            stamp=Stamp(LeaderEpoch(epoch), claim, ver),
            uid=Uid(uid),
        )
    except InvalidKeyError as error:
        raise CorruptObjectError(WHAT, str(error)) from error
    return SegmentMeta(
        key=key,
        end_epoch=LeaderEpoch(end_epoch),
        first_timestamp=first_timestamp,
        max_timestamp=max_timestamp,
        records=records,
        batches=batches,
        data_bytes=data_bytes,
        data_crc32c=data_crc32c,
        created_ms=created_ms,
    )
