"""``__consumer_offsets`` as the group coordinator needs it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from functools import partial

from everlog.model.clock import Clock
from everlog.model.errors import CorruptionError, EverlogError, RejectedError, RetriableError
from everlog.model.offsets import LeaderEpoch
from everlog.records.batch import walk
from everlog.records.builder import Record, build_batch
from everlog.records.places import locate, open_records
from service.app.cluster_topics import ClusterTopics
from service.coordination.cluster_image import ImageFollower
from service.coordination.topic_errors import TopicExistsError
from service.coordination.topic_plan import NewTopic
from service.groups.partitioning import OFFSETS_TOPIC
from service.groups.ports import OffsetsRecord
from service.model.log import LogSlice, ReadBounds
from service.partition.contact import Contact
from service.partition.disk_gate import DiskGate
from service.partition.errors import NotLeaderError, StaleLeaderEpochError
from service.partition.partition import Partition
from service.partition.table import PartitionTable

REPLAY_BYTES = 256 * 1024
"""Read at a time while a partition is replayed: some 6 milliseconds of work on the event loop."""

BATCH_BYTES_MAX = 512 * 1024
"""Records of one append go into one batch up to this size."""


class PartitionOffsetsLog:
    """The partitions of the offsets topic that this broker leads.

    What goes there may use the disk's reserve: groups go on while producers are refused.
    """

    def __init__(
        self,
        *,
        partitions: PartitionTable,
        images: ImageFollower,
        disk: DiskGate,
        contact: Contact,
        clock: Clock,
    ) -> None:
        self._table = partitions
        self._images = images
        self._disk = disk
        self._contact = contact
        self._clock = clock

    @property
    def partitions(self) -> int | None:
        topic = self._images.image.topic(OFFSETS_TOPIC)
        return None if topic is None else len(topic.partitions)

    def leads(self, partition: int) -> LeaderEpoch | None:
        found = self._table.by_name(OFFSETS_TOPIC, partition)
        if found is None or not self._contact.leads(found):
            return None
        return found.leader_epoch

    def append(
        self,
        partition: int,
        records: Sequence[OffsetsRecord],
        *,
        leader_epoch: LeaderEpoch,
        timeout_ms: int,
    ) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        try:
            led = self._led(partition, leader_epoch)
            led.check_in_sync()
            end = 0
            for batch in offsets_batches(records, now_ms=self._clock.wall_ms()):
                self._disk.take_reserved(len(batch))
                end = led.append(memoryview(batch)).end_offset
        except EverlogError as error:
            answer.set_exception(error)
            return answer
        late = RetriableError(f"{OFFSETS_TOPIC}-{partition} was not stored by all in time")
        timer = loop.call_later(timeout_ms / 1000, _acknowledge, answer, late)
        answer.add_done_callback(lambda _: timer.cancel())
        led.append_waiters.add(end, partial(_acknowledge, answer))
        return answer

    async def replay(
        self, partition: int, *, leader_epoch: LeaderEpoch
    ) -> AsyncIterator[Iterable[OffsetsRecord]]:
        led = self._led(partition, leader_epoch)
        # Whatever a leader has when its term begins will be committed, or it will not lead.
        end = led.log_end
        offset = led.log_start
        while offset < end:
            bounds = ReadBounds(end=end, bytes_max=REPLAY_BYTES, at_least_one=True)
            found = led.read(offset, bounds)
            piece = found if isinstance(found, LogSlice) else await found
            if not piece:
                return
            records, next_offset = _records_of(memoryview(piece.records))
            offset = type(offset)(next_offset)
            yield records
            await asyncio.sleep(0)

    def _led(self, partition: int, leader_epoch: LeaderEpoch) -> Partition:
        found = self._table.by_name(OFFSETS_TOPIC, partition)
        if found is None:
            raise StaleLeaderEpochError(f"{OFFSETS_TOPIC}-{partition} is not led here")
        found.check_epoch(leader_epoch)
        return found


class ClusterOffsetsTopic:
    """Creates the topic when the first group looks for its coordinator."""

    def __init__(
        self,
        *,
        topics: ClusterTopics,
        partitions: int,
        segment_bytes: int,
    ) -> None:
        self._topics = topics
        self._new = NewTopic(
            name=OFFSETS_TOPIC,
            partitions=partitions,
            config={"cleanup.policy": "compact", "segment.bytes": str(segment_bytes)},
        )

    async def create(self) -> None:
        with suppress(TopicExistsError):
            await self._topics.create(self._new)


def offsets_batches(records: Sequence[OffsetsRecord], *, now_ms: int) -> list[bytearray]:
    """Return records in as many batches as it takes."""
    batches: list[bytearray] = []
    some: list[Record] = []
    size = 0
    for key, value in records:
        some.append(Record(key=key, value=value, timestamp_ms=now_ms))
        size += len(key) + len(value or b"")
        if size >= BATCH_BYTES_MAX:
            batches.append(build_batch(some))
            some, size = [], 0
    if some:
        batches.append(build_batch(some))
    return batches


def _records_of(batches: memoryview) -> tuple[list[OffsetsRecord], int]:
    """Return keys and values of whole batches, and the offset behind them."""
    found: list[OffsetsRecord] = []
    next_offset = 0
    for position, header in walk(batches):
        next_offset = header.next_offset
        if header.is_control:
            continue
        records = open_records(batches[position:], header)
        for _, _, delta, key_at, key_length, value_at, value_length in locate(
            records, header.record_count
        ):
            if key_length < 0:
                raise CorruptionError(
                    f"offset {header.base_offset + delta} of {OFFSETS_TOPIC} has no key"
                )
            key = records[key_at : key_at + key_length]
            value = None if value_length < 0 else records[value_at : value_at + value_length]
            found.append((key, value))
    return found, next_offset


def _acknowledge(answer: "asyncio.Future[None]", error: EverlogError | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(None)
    elif isinstance(error, NotLeaderError | RetriableError | RejectedError):
        answer.set_exception(error)
    else:
        answer.set_exception(RetriableError(str(error)))
