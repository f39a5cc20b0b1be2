"""What is on the disks of brokers that have stopped."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from everlog.model.ids import PartitionId, TopicId
from everlog.records.batch import walk
from service.hot.layout import SEGMENT_SUFFIX, base_offset_of, partition_dir
from tests.history.operations import Partition, ReplicaLog, StoredBatch


def replica_logs(
    data_dirs: Mapping[int, Path],
    topic_ids: Mapping[str, TopicId],
    partitions: Sequence[Partition],
    high_watermarks: Mapping[Partition, int],
) -> list[ReplicaLog]:
    """Read all local logs, by broker."""
    return [
        ReplicaLog(
            broker=broker,
            partition=partition,
            high_watermark=high_watermarks[partition],
            batches=_batches(data_dir, PartitionId(topic_ids[partition.topic], partition.number)),
        )
        for broker, data_dir in data_dirs.items()
        for partition in partitions
    ]


def _batches(data_dir: Path, partition: PartitionId) -> tuple[StoredBatch, ...]:
    place = Path(partition_dir(str(data_dir), partition))
    segments = sorted(path for path in place.glob(f"*{SEGMENT_SUFFIX}") if _is_segment(path.name))
    return tuple(batch for path in segments for batch in _batches_of(path.read_bytes()))


def _is_segment(name: str) -> bool:
    return base_offset_of(name, SEGMENT_SUFFIX) is not None


def _batches_of(content: bytes) -> list[StoredBatch]:
    return [
        StoredBatch(
            header.base_offset,
            header.next_offset - 1,
            hashlib.blake2b(content[at : at + header.size], digest_size=16).digest(),
        )
        for at, header in walk(content)
    ]
