"""The codecs of record batches, used only where records must be opened or made.

Decompression is bounded by the caller: a batch of a few kilobytes can claim to hold gigabytes.
"""

from enum import IntEnum
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

import cramjam

from everlog.model.buffer import Buffer
from everlog.model.errors import RejectedError

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_XERIAL_VERSIONS = (1).to_bytes(4, "big") * 2
_XERIAL_BLOCK_BYTES = 32 * 1024
"""What snappy-java writes; the Java client reads blocks of any size."""


class Codec(IntEnum):
    """Compression ids, as in the lowest three bits of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class DecompressionError(RejectedError):
    """The compressed records are damaged, or unpack to more than is allowed."""


class DecompressedTooLargeError(DecompressionError):
    """The records unpack to more bytes than is allowed."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"the records unpack to more than {bytes_max} bytes")


def compress(codec: Codec, records: Buffer) -> bytes:
    """Compress the records of a batch as Kafka's own clients do."""
    match codec:
        case Codec.NONE:
            return bytes(records)
        case Codec.GZIP:
            return bytes(cramjam.gzip.compress(records))
        case Codec.SNAPPY:
            return _xerial(records)
        case Codec.LZ4:
            return bytes(cramjam.lz4.compress(records))
        case Codec.ZSTD:
            return bytes(cramjam.zstd.compress(records))


def decompress(codec: Codec, records: Buffer, *, bytes_max: int) -> Buffer:
    """Return the uncompressed records; with `Codec.NONE` the very buffer that was given.

    Raises:
        DecompressedTooLargeError: They are larger than ``bytes_max``.
        DecompressionError: They are damaged, or something follows them.
    """
    if codec is Codec.NONE:
        return records
    if codec is Codec.SNAPPY:
        return _snappy(records, bytes_max)
    module = {Codec.GZIP: cramjam.gzip, Codec.LZ4: cramjam.lz4, Codec.ZSTD: cramjam.zstd}[codec]
    # Pages of its own: only those that are written become memory, and all are given back at once.
    # One byte more than allowed tells "exactly the limit" from "above it".
    room = mmap(-1, bytes_max + 1, flags=MAP_PRIVATE | MAP_ANONYMOUS)
    try:
        size = module.decompress_into(records, room)
    except cramjam.DecompressionError as error:
        room.close()
        if "failed to write whole buffer" in str(error):
            raise DecompressedTooLargeError(bytes_max) from error
        raise DecompressionError(f"{codec.name.lower()} records are damaged: {error}") from error
    if size > bytes_max:
        room.close()
        raise DecompressedTooLargeError(bytes_max)
    return memoryview(room)[:size]


def _xerial(records: Buffer) -> bytes:
    """Frame snappy blocks the way snappy-java does, which Kafka's Java clients expect."""
    out = bytearray(_XERIAL_MAGIC + _XERIAL_VERSIONS)
    view = memoryview(records)
    for start in range(0, len(view), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(view[start : start + _XERIAL_BLOCK_BYTES]))
        out += len(block).to_bytes(4, "big")
        out += block
    return bytes(out)


def _snappy(records: Buffer, bytes_max: int) -> Buffer:
    """Unpack either framing: snappy-java's blocks, or one raw block as librdkafka writes."""
    view = memoryview(records)
    if bytes(view[: len(_XERIAL_MAGIC)]) != _XERIAL_MAGIC:
        return _snappy_block(view, bytes_max)
    out = bytearray()
    position = _XERIAL_HEADER_BYTES
    while position < len(view):
        size = int.from_bytes(view[position : position + 4], "big")
        position += 4
        if len(view) - position < size:
            raise DecompressionError("a snappy block reaches beyond the batch")
        out += _snappy_block(view[position : position + size], bytes_max - len(out))
        position += size
    return out


def _snappy_block(block: memoryview, bytes_max: int) -> bytes:
    try:
        if cramjam.snappy.decompress_raw_len(block) > bytes_max:
            raise DecompressedTooLargeError(bytes_max)
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise DecompressionError(f"snappy records are damaged: {error}") from error
