"""All clients of a fault run, and those who read everything when it is over."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

from tests.cluster.cluster import OFFSETS_TOPIC, Cluster
from tests.cluster.fuzzer import Fuzzer
from tests.cluster.members import Membership
from tests.cluster.prober import LocalStarts, Prober
from tests.cluster.producers import PROMISED, UNPROMISED, Producing
from tests.cluster.readers import POLL_RECORDS, POLL_SECONDS, SETTINGS, Following, Travelling
from tests.cluster.recording import Client, Recorder, value_of
from tests.history.operations import OutOfRange, Partition

TOPIC_CONFIG = {"segment.bytes": str(64 << 10), "local.retention.bytes": str(128 << 10)}
"""So small that most of what is read is read from the store."""

PROMISED_TOPICS = ("orders", "events")
UNPROMISED_TOPIC = "gossip"
TOPICS = (*PROMISED_TOPICS, UNPROMISED_TOPIC)
FINAL_SECONDS_MAX = 300
JOIN_SECONDS_MAX = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many clients there are of each kind, and how much they do.

    Attributes:
        partitions: Of each topic.
        pause_seconds: Between two bursts of a producer.
    """

    partitions: int = 2
    producers: int = 5
    pause_seconds: float = 0.15
    unpromised: int = 1
    followers: int = 2
    members: int = 3
    travellers: int = 2


class Workload:
    """Clients that run until they are stopped.

    Args:
        seed: Of all chance.
        topic_config: Beside `TOPIC_CONFIG`.
    """

    def __init__(
        self,
        cluster: Cluster,
        recorder: Recorder,
        size: Size,
        *,
        seed: int,
        topic_config: Mapping[str, str],
    ) -> None:
        self.recorder = recorder
        self._cluster = cluster
        config = {**TOPIC_CONFIG, **topic_config}
        topics = {topic: cluster.create_topic(topic, size.partitions, config) for topic in TOPICS}
        self.partitions = [each for some in topics.values() for each in some]
        promised = [each for topic in PROMISED_TOPICS for each in topics[topic]]
        place = {"seed": seed, "bootstrap": cluster.bootstrap}
        prober = Prober("prober", recorder, partitions=self.partitions, **place)
        self.fuzzer = Fuzzer("fuzzer", recorder, **place)
        self.clients: list[Client] = [
            prober,
            self.fuzzer,
            LocalStarts(
                recorder,
                data_dirs=[cluster.brokers[n].data_dir for n in cluster.brokers.numbers],
                topic_id=cluster.view.topic_id,
                partitions=self.partitions,
            ),
        ]
        pace = {"pause_seconds": size.pause_seconds, **place}
        self.clients += [
            Producing(f"producer-{n}", recorder, partitions=promised, settings=PROMISED, **pace)
            for n in range(size.producers)
        ]
        self.clients += [
            Producing(
                f"gossip-{n}",
                recorder,
                partitions=topics[UNPROMISED_TOPIC],
                settings=UNPROMISED,
                **pace,
            )
            for n in range(size.unpromised)
        ]
        self.clients += [
            Following(
                f"follower-{n}", recorder, partitions=self.partitions[n :: size.followers], **place
            )
            for n in range(size.followers)
        ]
        self.clients += [
            Membership(f"member-{n}", recorder, topic=PROMISED_TOPICS[0], **place)
            for n in range(size.members)
        ]
        self.clients += [
            Travelling(f"traveller-{n}", recorder, ends=prober.ends, **place)
            for n in range(size.travellers)
        ]

    @property
    def topics(self) -> list[str]:
        """All that are to be in sync in the end."""
        return [*TOPICS, OFFSETS_TOPIC]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all clients."""
        for client in self.clients:
            client.start()
        try:
            yield
        finally:
            for client in self.clients:
                client.stop()
            deadline = time.monotonic() + JOIN_SECONDS_MAX
            for client in self.clients:
                client.join(max(0.0, deadline - time.monotonic()))

    def failures(self) -> list[str]:
        """Say which clients met what none should meet, or do not end."""
        return [
            f"{client.name}: {client.failure!r}" if client.failure else f"{client.name} runs on"
            for client in self.clients
            if client.failure is not None or client.is_alive()
        ]


def read_everything(
    bootstrap: str, partitions: Sequence[Partition], recorder: Recorder, *, name: str
) -> None:
    """Read all partitions from their starts to their ends, by a client that knows nothing yet."""
    consumer = Consumer({"bootstrap.servers": bootstrap, **SETTINGS, "enable.partition.eof": True})
    consumer.assign([TopicPartition(each.topic, each.number, 0) for each in partitions])
    unfinished = set(partitions)
    deadline = time.monotonic() + FINAL_SECONDS_MAX
    while unfinished:
        assert time.monotonic() < deadline, f"no end is in sight of {sorted(unfinished)}"
        found: defaultdict[Partition, list[tuple[int, int, int]]] = defaultdict(list)
        for message in consumer.consume(POLL_RECORDS, timeout=POLL_SECONDS):
            partition = Partition(str(message.topic()), int(message.partition() or 0))
            error = message.error()
            if error is None:
                epoch = message.leader_epoch()
                record = int(message.offset() or 0), value_of(message.value())
                found[partition].append((*record, -1 if epoch is None else epoch))
            elif error.code() == KafkaError._PARTITION_EOF:  # type: ignore[attr-defined]
                unfinished.discard(partition)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # type: ignore[attr-defined]
                unfinished.discard(partition)
                recorder.history.out_of_range.append(
                    OutOfRange(process=name, partition=partition, what=error.str())
                )
        for partition, records in found.items():
            recorder.poll(name, partition, 0, records, is_final=True)
    consumer.close()
