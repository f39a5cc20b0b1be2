"""Batches as a leader sends them, and a follower's log as it is read back."""

from collections.abc import Awaitable

from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import CONTROL, stamp, walk
from everlog.records.builder import Producer, Record, build_batch
from service.hot.log import HotLog
from service.model.log import ReadBounds


def batch(
    base_offset: int,
    *,
    records: int = 1,
    size: int = 20,
    epoch: int = 3,
    producer: Producer | None = None,
    is_control: bool = False,
) -> bytes:
    made = build_batch(
        [Record(key=None, value=b"v" * size, timestamp_ms=1000 + i) for i in range(records)],
        producer=producer,
        attributes=CONTROL if is_control else 0,
    )
    stamp(made, base_offset=base_offset, leader_epoch=LeaderEpoch(epoch))
    return bytes(made)


def row(count: int, *, start: int = 0, size: int = 20, epoch: int = 3) -> list[bytes]:
    return [batch(start + number, size=size, epoch=epoch) for number in range(count)]


async def content(log: HotLog) -> bytes:
    """Read all of a log."""
    found, offset = b"", log.local_start
    while True:
        bounds = ReadBounds(end=log.log_end, bytes_max=500, at_least_one=True)
        piece = log.read(offset, bounds)
        batches = await piece if isinstance(piece, Awaitable) else piece
        if not batches:
            return found
        found += bytes(batches.records)
        for _, header in walk(batches.records):
            offset = Offset(header.next_offset)
