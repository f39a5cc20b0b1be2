"""Logs with keys, and what a reader finds in them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from everlog.model.ids import PartitionId, TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.records.batch import read_header, walk
from everlog.records.builder import Producer, Record, build_batch
from everlog.records.compression import Codec
from everlog.records.reader import StoredRecord, read_records
from service.hot.cleaning import CleaningRules
from service.hot.log import HotLog
from service.hot.log_config import HotLogConfig
from service.hot.rolling import RollLimits
from service.hot.store import HotStore
from service.model.log import LogSlice, ReadBounds
from tests.simulation.clock import ManualClock
from tests.simulation.disk import SimDisk

PARTITION = PartitionId(TopicId(b"0123456789abcdef"), 0)
NOW_MS = ManualClock().wall_ms()
DAY_MS = 86_400_000

Pair = tuple[bytes | None, bytes | None]


def rules(**changes: Any) -> CleaningRules:
    return CleaningRules(**{"dirty_ratio_min": 0.0, "tombstone_ms": DAY_MS, **changes})


def config(
    *, segment_bytes: int = 600, always: bool = True, cleaning: CleaningRules | None = None
) -> HotLogConfig:
    return HotLogConfig(
        roll=RollLimits(segment_bytes=segment_bytes, segment_ms=600_000),
        flush_always=always,
        flush_ms=1000,
        index_interval_bytes=128,
        cleaning=cleaning or rules(),
    )


def store_on(disk: SimDisk, clock: Any = None) -> HotStore:
    def end(error: Exception) -> None:
        raise AssertionError(error)

    return HotStore(
        data_dir="/data",
        disk=disk,
        clock=clock or ManualClock(),
        flush_executor=None,
        read_executor=None,
        on_fatal=end,
    )


def fresh_disk() -> SimDisk:
    disk = SimDisk()
    disk.make_dirs("/data")
    return disk


def append(
    log: HotLog,
    pairs: Sequence[Pair],
    *,
    codec: Codec = Codec.NONE,
    producer: Producer | None = None,
    attributes: int = 0,
    epoch: int = 3,
    timestamp_ms: int = NOW_MS,
) -> int:
    records = [Record(key=key, value=value, timestamp_ms=timestamp_ms) for key, value in pairs]
    made = build_batch(records, codec=codec, producer=producer, attributes=attributes)
    return log.append(made, read_header(made), leader_epoch=LeaderEpoch(epoch))


async def settled(log: HotLog) -> None:
    while log.is_busy:
        await asyncio.sleep(0)


async def cleaned(store: HotStore) -> None:
    """Let the cleaner do everything that there is to do now."""
    cleaner = store._cleaner
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(cleaner.run())
        await asyncio.sleep(0)
        while not cleaner.is_idle:
            await asyncio.sleep(0)
        running.cancel()


async def stored(log: HotLog, start: int | None = None) -> list[StoredRecord]:
    return [
        record
        for batch in await stored_batches(log, start)
        for record in read_records(batch)
        if start is None or record.offset >= start
    ]


async def stored_batches(log: HotLog, start: int | None = None) -> list[bytes]:
    offset = log.local_start if start is None else Offset(start)
    batches: list[bytes] = []
    while True:
        bounds = ReadBounds(end=log.log_end, bytes_max=700, at_least_one=True)
        found = log.read(offset, bounds)
        piece = found if isinstance(found, LogSlice) else await found
        if not piece:
            return batches
        for position, header in walk(piece.records):
            batches.append(bytes(piece.records[position : position + header.size]))
            offset = Offset(header.next_offset)


def latest(records: Sequence[StoredRecord]) -> dict[bytes | None, bytes | None]:
    """What somebody knows who has read it all; a deleted key is as one that never was."""
    known = {record.key: record.value for record in records if record.key is not None}
    return {key: value for key, value in known.items() if value is not None}


def expected_after_cleaning(
    records: Sequence[StoredRecord],
    clean_end: int,
    *,
    is_gone: Callable[[StoredRecord], bool] = lambda _: False,
) -> list[StoredRecord]:
    """Say by brute force what a cleaning up to an offset leaves."""
    inside = [record for record in records if record.offset < clean_end]
    newest = {record.key: record.offset for record in inside}
    return [
        record
        for record in records
        if record.offset >= clean_end
        or record.key is None
        or (newest[record.key] == record.offset and not is_gone(record))
    ]
