"""Batches as a leader sends them, a follower's log as it is read back, and what it should know."""

from collections.abc import Awaitable, Sequence

from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import CONTROL, read_header, stamp, walk
from everlog.records.builder import Producer, Record, build_batch
from service.hot.log import HotLog
from service.hot.producer_state import ProducerStates
from service.model.log import ReadBounds
from tests.simulation.clock import ManualClock

NOW_MS = ManualClock().wall_ms()


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


def epochs_of(batches: Sequence[bytes]) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    for made in batches:
        header = read_header(made)
        if not rows or header.leader_epoch > rows[-1][0]:
            rows.append((header.leader_epoch, header.base_offset))
    return rows


def producers_of(batches: Sequence[bytes]) -> bytes:
    states = ProducerStates()
    for header in map(read_header, batches):
        if header.producer_id >= 0 and not header.is_control:
            states.note(header, header.base_offset, now_ms=NOW_MS)
    return states.encode(0)
