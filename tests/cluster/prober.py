"""Asks again and again where partitions begin and end, and looks where local logs begin."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from typing_extensions import override

from everlog.model.ids import PartitionId, TopicId
from service.hot.layout import SEGMENT_SUFFIX, base_offset_of, partition_dir
from tests.cluster.recording import Client, Recorder
from tests.history.operations import Bounds, Partition

PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 5.0


class Prober(Client):
    """One client that asks the leaders.

    Attributes:
        ends: The newest ends that it was told, for those who want to read before them.
    """

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        *,
        seed: int,
        bootstrap: str,
        partitions: Sequence[Partition],
    ) -> None:
        super().__init__(name, recorder, seed=seed)
        self.ends: dict[Partition, int] = dict.fromkeys(partitions, 0)
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap, "socket.timeout.ms": 5000, "log_level": 0}
        )

    @override
    def work(self) -> None:
        while not self.is_stopping:
            starts = self._ask(OffsetSpec.earliest())
            for partition, (end, epoch) in self._ask(OffsetSpec.latest()).items():
                self.ends[partition] = max(end, self.ends[partition])
                if partition in starts:
                    self._note(partition, starts[partition][0], end, epoch)
            self.rest(PAUSE_SECONDS)

    def _note(self, partition: Partition, start: int, end: int, epoch: int | None) -> None:
        self.recorder.history.bounds.append(
            Bounds(
                process=self.name,
                partition=partition,
                log_start=start,
                high_watermark=end,
                leader_epoch=epoch,
            )
        )

    def _ask(self, spec: OffsetSpec) -> dict[Partition, tuple[int, int | None]]:
        wanted = {TopicPartition(*each): spec for each in self.ends}
        found: dict[Partition, tuple[int, int | None]] = {}
        try:
            futures = self._admin.list_offsets(wanted, request_timeout=PATIENCE_SECONDS)
        except KafkaException as error:
            self.recorder.count(f"prober: {error.args[0].name()}")
            return found
        for place, future in futures.items():
            try:
                told = future.result(2 * PATIENCE_SECONDS)
            except (KafkaException, TimeoutError) as error:
                self.recorder.count(f"prober: {type(error).__name__}")
                continue
            # An error of one partition comes as an offset that is none.
            if told.offset >= 0:
                found[Partition(place.topic, place.partition)] = (told.offset, told.leader_epoch)
        return found


class LocalStarts(Client):
    """Looks into the data directories.

    Args:
        data_dirs: Of all brokers.
        topic_id: Of a topic by its name.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        data_dirs: Sequence[Path],
        topic_id: Callable[[str], TopicId],
        partitions: Sequence[Partition],
    ) -> None:
        super().__init__("local-starts", recorder, seed=0)
        self._places = {
            each: [
                Path(partition_dir(str(data), PartitionId(topic_id(each.topic), each.number)))
                for data in data_dirs
            ]
            for each in partitions
        }

    @override
    def work(self) -> None:
        while not self.is_stopping:
            self.recorder.local_starts = self._look()
            self.rest(PAUSE_SECONDS)

    def _look(self) -> Mapping[Partition, int]:
        found = {}
        for partition, places in self._places.items():
            bases = [base for place in places for base in _bases(place)]
            found[partition] = min(bases, default=0)
        return found


def _bases(place: Path) -> list[int]:
    """Return where the segments of a directory begin."""
    try:
        names = [each.name for each in place.iterdir()]
    except FileNotFoundError:  # a broker that has a new disk
        return []
    offsets = (base_offset_of(name, SEGMENT_SUFFIX) for name in names)
    return [offset for offset in offsets if offset is not None]
