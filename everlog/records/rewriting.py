"""Makes a batch anew with some of its records; its bounds, sequence and codec stay.

Records are copied as they are, headers unopened, unless a delete horizon takes the place of the
base timestamp (KIP-534): then the timestamp of each is written relative to that.
"""

from collections.abc import Iterable, Sequence

from everlog.records.batch import (
    CODEC_MASK,
    DELETE_HORIZON,
    LOG_APPEND_TIME,
    BatchHeader,
    write_batch,
)
from everlog.records.compression import Codec, compress
from everlog.records.places import Place
from everlog.records.varint import read_varint, write_varint

_NO_TIMESTAMP = -1


def keep_records(
    header: BatchHeader,
    records: bytes,
    kept: Sequence[Place],
    *,
    delete_horizon_ms: int | None = None,
) -> bytearray:
    """Return the batch with only the ``kept`` records, at least one.

    Args:
        header: Of the whole batch.
        records: All of its records, uncompressed.
        kept: Places of those that stay, in order.
        delete_horizon_ms: When the tombstones among them may go; None leaves it as it is.
    """
    assert kept, "a batch without records is made by `empty_batch`"
    base_ms = header.base_timestamp if delete_horizon_ms is None else delete_horizon_ms
    if base_ms == header.base_timestamp:
        body = b"".join([records[place[0] : place[1]] for place in kept])
    else:
        body = _shifted(records, kept, header.base_timestamp - base_ms)
    attributes = header.attributes
    if delete_horizon_ms is not None:
        attributes |= DELETE_HORIZON
    max_ms = header.max_timestamp
    if not attributes & LOG_APPEND_TIME:
        deltas = (_timestamp_delta(records, place[0])[0] for place in kept)
        max_ms = header.base_timestamp + max(deltas)
    return write_batch(
        header._replace(
            attributes=attributes,
            base_timestamp=base_ms,
            max_timestamp=max_ms,
            record_count=len(kept),
        ),
        compress(Codec(header.codec), body),
    )


def empty_batch(header: BatchHeader) -> bytearray:
    """Return the batch without any record: its offsets and its last sequence outlive them."""
    return write_batch(
        header._replace(
            attributes=header.attributes & ~(CODEC_MASK | DELETE_HORIZON),
            max_timestamp=_NO_TIMESTAMP,
            record_count=0,
        ),
        b"",
    )


def _shifted(records: bytes, kept: Iterable[Place], shift_ms: int) -> bytes:
    out = bytearray()
    for begin, end, *_ in kept:
        delta, at, after = _timestamp_delta(records, begin)
        inner = bytearray(records[at - 1 : at])  # the record's attributes
        write_varint(inner, delta + shift_ms)
        inner += records[after:end]
        write_varint(out, len(inner))
        out += inner
    return bytes(out)


def _timestamp_delta(records: bytes, begin: int) -> tuple[int, int, int]:
    """Return the timestamp delta of a record, where it begins and where it ends."""
    _, at = read_varint(records, begin)
    delta, after = read_varint(records, at + 1)
    return delta, at + 1, after
