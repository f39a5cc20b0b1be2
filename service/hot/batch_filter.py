"""Pure: what a cleaning leaves of one batch."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from everlog.model.buffer import Buffer
from everlog.records.batch import DELETE_HORIZON, BatchHeader
from everlog.records.places import Place, locate, open_records
from everlog.records.rewriting import empty_batch, keep_records
from service.hot.cleaning import KeyOffsets

_NULL = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What decides about each record of a cleaning.

    Attributes:
        keys: The last offset of each key that was dirty.
        now_ms: Wall time of the cleaning.
        tombstone_ms: How long a tombstone outlives its first cleaning.
        producer_bases: Base offsets of batches that hold the last sequence of a live producer.
    """

    keys: KeyOffsets
    now_ms: int
    tombstone_ms: int
    producer_bases: Collection[int] = ()


class Left(NamedTuple):
    """What is left of a batch.

    Attributes:
        content: None if it can go as a whole.
        tombstones_until: When its tombstones may go; None without any.
    """

    content: Buffer | None
    tombstones_until: int | None = None


def is_closed(header: BatchHeader) -> bool:
    """Whether a batch stays as it is: a marker, or a part of a transaction.

    The outcome of a transaction is not known here, and an aborted record must neither shadow an
    earlier one nor be shadowed alone.
    """
    return header.is_control or header.is_transactional


def filter_batch(batch: Buffer, header: BatchHeader, keep: Keep) -> Left:
    """Return what is left of a batch: itself, a smaller one, an empty one, or nothing.

    Raises:
        CorruptionError: Its records are not what their lengths say.
        DecompressionError: They cannot be unpacked.
    """
    if is_closed(header) or header.base_offset >= keep.keys.end:
        return Left(batch)
    horizon_ms = header.base_timestamp if header.attributes & DELETE_HORIZON else None
    is_expired = horizon_ms is not None and horizon_ms <= keep.now_ms
    records = open_records(batch, header)
    places = locate(records, header.record_count)
    kept, has_tombstone = _select(records, places, header, keep, is_expired=is_expired)
    if not kept:
        return _left_of_empty(batch, header, keep)
    fresh_ms = None
    if has_tombstone and horizon_ms is None:
        horizon_ms = fresh_ms = keep.now_ms + keep.tombstone_ms
    until_ms = horizon_ms if has_tombstone else None
    if len(kept) == len(places) and fresh_ms is None:
        return Left(batch, until_ms)
    return Left(keep_records(header, records, kept, delete_horizon_ms=fresh_ms), until_ms)


def _select(
    records: bytes, places: list[Place], header: BatchHeader, keep: Keep, *, is_expired: bool
) -> tuple[list[Place], bool]:
    """Return the records that stay, and whether a tombstone is among them."""
    is_latest, base_offset = keep.keys.is_latest, header.base_offset
    kept: list[Place] = []
    has_tombstone = False
    for place in places:
        _, _, delta, key_at, key_length, _, value_length = place
        if key_length == _NULL:
            kept.append(place)
            continue
        if not is_latest(records[key_at : key_at + key_length], base_offset + delta):
            continue
        if value_length == _NULL:
            if is_expired:
                continue
            has_tombstone = True
        kept.append(place)
    return kept, has_tombstone


def _left_of_empty(batch: Buffer, header: BatchHeader, keep: Keep) -> Left:
    if header.base_offset not in keep.producer_bases:
        return Left(None)
    return Left(empty_batch(header) if header.record_count else batch)
