"""One plain log on a simulated disk: opened, appended to, read as a consumer reads."""

import asyncio
from collections.abc import Awaitable

from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, walk
from everlog.records.builder import Record, build_batch
from service.hot.log import HotLog
from service.hot.log_config import HotLogConfig
from service.hot.rolling import RollLimits
from service.hot.store import HotStore
from service.model.log import ReadBounds
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk

PARTITION = PartitionId(TopicId(b"0123456789abcdef"), 0)
DIRECTORY = f"/data/logs/{PARTITION.topic_id.hex()}/0"
EPOCH = LeaderEpoch(3)


def config(
    *, always: bool = True, segment_bytes: int = 1 << 20, segment_ms: int = 600_000
) -> HotLogConfig:
    return HotLogConfig(
        roll=RollLimits(segment_bytes=segment_bytes, segment_ms=segment_ms),
        flush_always=always,
        flush_ms=1 << 40,
        index_interval_bytes=256,
    )


async def opened(disk: SimDisk, settings: HotLogConfig) -> tuple[HotStore, HotLog]:
    store = HotStore(
        data_dir="/data",
        disk=disk,
        clock=ManualClock(),
        flush_executor=None,
        read_executor=None,
        on_fatal=print,
    )
    await store.start([PARTITION])
    return store, await store.open(PARTITION, settings)


def append(log: HotLog, size: int) -> int:
    made = build_batch([Record(key=None, value=b"v" * size, timestamp_ms=1000)])
    return log.append(made, read_header(made), leader_epoch=EPOCH)


async def written(log: HotLog, *sizes: int) -> None:
    for size in sizes:
        append(log, size)
    while log.is_busy:
        await asyncio.sleep(0.001)


async def offsets(log: HotLog, start: int, *, bytes_max: int = 1) -> list[int]:
    """Read as a consumer does: each time from behind the last batch."""
    found: list[int] = []
    offset = start
    while True:
        bounds = ReadBounds(end=log.log_end, bytes_max=bytes_max, at_least_one=True)
        piece = log.read(Offset(offset), bounds)
        batches = await piece if isinstance(piece, Awaitable) else piece
        if not batches:
            return found
        for _, header in walk(batches.records):
            found.append(header.base_offset)
            offset = header.next_offset
