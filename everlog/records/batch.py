"""The 61-byte header of a record batch, read and stamped in place; what follows stays closed.

Layout (Kafka documentation, "Record Batch"; big endian)::

    0  base offset        i64 | 23 last offset delta  i32 | 51 producer epoch  i16
    8  length after here  i32 | 27 base timestamp     i64 | 53 base sequence   i32
    12 leader epoch       i32 | 35 max timestamp      i64 | 57 record count    i32
    16 magic              i8  | 43 producer id        i64 | 61 records, perhaps compressed
    17 CRC-32C            u32
    21 attributes         i16 | the CRC covers everything from byte 21 to the end
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from crc32c import crc32c

from everlog.model.buffer import Buffer

HEADER_BYTES = 61
LENGTH_FIELD_END = 12
"""The length field counts the bytes that follow it; a batch is that many and these twelve."""

MAGIC = 2

_HEADER = Struct(">qiibIhiqqqhii")
_BASE_OFFSET = Struct(">q")
_LEADER_EPOCH = Struct(">i")
_CRC = Struct(">I")
_ATTRIBUTES = Struct(">h")
_MAX_TIMESTAMP = Struct(">q")
_LEADER_EPOCH_AT = 12
_CRC_AT = 17
_CRC_FROM = 21
_ATTRIBUTES_AT = 21
_MAX_TIMESTAMP_AT = 35

CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40


class BatchHeader(NamedTuple):
    """The fields of a header in the order of the bytes; minus one is "none", as on the wire."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """Bytes of the whole batch, header included."""
        return self.length + LENGTH_FIELD_END

    @property
    def next_offset(self) -> int:
        """The offset after the last one of the batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec(self) -> int:
        """Compression: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & CODEC_MASK

    @property
    def is_control(self) -> bool:
        """Whether the batch holds a transaction marker instead of records."""
        return bool(self.attributes & CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether the batch belongs to a transaction."""
        return bool(self.attributes & TRANSACTIONAL)


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """Read the header at ``position``; the caller has made sure that 61 bytes are there."""
    return BatchHeader._make(_HEADER.unpack_from(buffer, position))


def write_batch(header: BatchHeader, packed: Buffer) -> bytearray:
    """Return a batch with this header, whose length and checksum are made anew."""
    length = HEADER_BYTES - LENGTH_FIELD_END + len(packed)
    batch = bytearray(_HEADER.pack(*header._replace(length=length, crc=0)))
    batch += packed
    _CRC.pack_into(batch, _CRC_AT, batch_crc(batch, 0, len(batch)))
    return batch


def walk(buffer: Buffer) -> Iterator[tuple[int, BatchHeader]]:
    """Yield (position, header) of each whole batch; stop at the first that is cut off."""
    position = 0
    end = len(buffer)
    while end - position >= HEADER_BYTES:
        header = read_header(buffer, position)
        size = header.size
        if size < HEADER_BYTES or size > end - position:
            return
        yield position, header
        position += size


def batch_crc(buffer: Buffer, position: int, size: int) -> int:
    """Return the CRC-32C that the batch of ``size`` bytes at ``position`` should carry."""
    return int(crc32c(memoryview(buffer)[position + _CRC_FROM : position + size]))


def stamp(batch: bytearray | memoryview, *, base_offset: int, leader_epoch: int) -> None:
    """Give a produced batch its place in the log, in place."""
    # Both fields precede the CRC's coverage, so stamping needs no new checksum.
    _BASE_OFFSET.pack_into(batch, 0, base_offset)
    _LEADER_EPOCH.pack_into(batch, _LEADER_EPOCH_AT, leader_epoch)


def stamp_append_time(batch: bytearray | memoryview, *, timestamp_ms: int) -> None:
    """Make the time of the append the timestamp of every record (LogAppendTime).

    Consumers take the maximum timestamp for all records of such a batch, so the records stay as
    they are.
    """
    (attributes,) = _ATTRIBUTES.unpack_from(batch, _ATTRIBUTES_AT)
    _ATTRIBUTES.pack_into(batch, _ATTRIBUTES_AT, attributes | LOG_APPEND_TIME)
    _MAX_TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_AT, timestamp_ms)
    _CRC.pack_into(batch, _CRC_AT, batch_crc(batch, 0, len(batch)))


def stamp_max_timestamp(batch: bytearray | memoryview, *, timestamp_ms: int) -> None:
    """Correct the maximum timestamp of a batch whose producer has told another."""
    _MAX_TIMESTAMP.pack_into(batch, _MAX_TIMESTAMP_AT, timestamp_ms)
    _CRC.pack_into(batch, _CRC_AT, batch_crc(batch, 0, len(batch)))
