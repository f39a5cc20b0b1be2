"""CRC-32C of what was read once, joined from the checksums of its pieces.

An object is checksummed while it passes by, chunk by chunk. The checksum of the whole, which the
store wants before the upload begins, then follows from those of the chunks by algebra alone.
"""

from functools import cache

from crc32c import crc32c as _crc32c

from everlog.model.buffer import Buffer

_POLYNOMIAL = 0x82F63B78
"""Castagnoli's, lowest bit first (RFC 3720, section 12.1)."""

_CRC_BITS = 32


def crc32c(data: Buffer, before: int = 0) -> int:
    """Return the CRC-32C of ``data``, going on from the checksum of what came ``before``."""
    return int(_crc32c(data, before))


def joined(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC-32C of two pieces laid end to end, from theirs and the second's length.

    Appending a zero byte is a linear map on the 32 bits of a checksum, so appending
    ``second_bytes`` of them is a product of at most 64 known matrices over GF(2).
    """
    power = 0
    while second_bytes:
        if second_bytes & 1:
            low, second_byte, third_byte, high = _tables(power)
            first = (
                low[first & 0xFF]
                ^ second_byte[first >> 8 & 0xFF]
                ^ third_byte[first >> 16 & 0xFF]
                ^ high[first >> 24]
            )
        second_bytes >>= 1
        power += 1
    return first ^ second


@cache
def _tables(power: int) -> tuple[tuple[int, ...], ...]:
    """Return what the matrix of a power makes of each value of each of the four bytes."""
    matrix = _zero_bytes(power)
    return tuple(_sums(matrix[first : first + 8]) for first in range(0, _CRC_BITS, 8))


def _sums(columns: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sum of the columns of each subset, by the bits of its number."""
    sums = [0]
    for column in columns:
        sums += [column ^ known for known in sums]
    return tuple(sums)


def _applied(matrix: tuple[int, ...], vector: int) -> int:
    result = 0
    for column in matrix:
        if not vector:
            break
        if vector & 1:
            result ^= column
        vector >>= 1
    return result


@cache
def _zero_bytes(power: int) -> tuple[int, ...]:
    """Return the matrix, by columns, that appends two to the ``power`` zero bytes."""
    if power:
        return _squared(_zero_bytes(power - 1))
    one_bit = (_POLYNOMIAL, *(1 << bit for bit in range(_CRC_BITS - 1)))
    return _squared(_squared(_squared(one_bit)))


def _squared(matrix: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_applied(matrix, column) for column in matrix)
