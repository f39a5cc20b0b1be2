"""An administrator who makes, changes and deletes topics of their own while faults go on."""

from collections.abc import Callable
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)
from typing_extensions import override

from tests.cluster.recording import Client, Recorder

PAUSE_SECONDS = 1.5
PATIENCE_SECONDS = 15.0
TOPICS_MAX = 4
PREFIX = "fuzz-"


class Fuzzer(Client):
    """One call after the other.

    Attributes:
        made: Topics whose creation was acknowledged and whose deletion was not asked for.
    """

    def __init__(self, name: str, recorder: Recorder, *, seed: int, bootstrap: str) -> None:
        super().__init__(name, recorder, seed=seed)
        self.made: set[str] = set()
        self._admin = AdminClient(
            {"bootstrap.servers": bootstrap, "socket.timeout.ms": 10_000, "log_level": 0}
        )

    @override
    def work(self) -> None:
        calls: list[Callable[[], None]] = [self._create, self._delete, self._grow, self._alter]
        while not self.is_stopping:
            call = self.random.choice(calls)
            try:
                call()
            except (KafkaException, TimeoutError) as error:
                self.recorder.count(f"fuzzer: {_name(error)}")
            self.rest(self.random.uniform(0, 2 * PAUSE_SECONDS))

    def _create(self) -> None:
        if len(self.made) >= TOPICS_MAX:
            self._delete()
            return
        topic = f"{PREFIX}{self.recorder.new_life()}"
        new = NewTopic(topic, self.random.randint(1, 3), 3)
        _wait(self._admin.create_topics([new])[topic])
        self.made.add(topic)
        self.recorder.count("topics made")

    def _delete(self) -> None:
        if self.made:
            topic = self.random.choice(sorted(self.made))
            self.made.discard(topic)
            _wait(self._admin.delete_topics([topic])[topic])
            self.recorder.count("topics deleted")

    def _grow(self) -> None:
        if self.made:
            topic = self.random.choice(sorted(self.made))
            count = self.random.randint(1, 6)
            _wait(self._admin.create_partitions([NewPartitions(topic, count)])[topic])
            self.recorder.count("topics grown")

    def _alter(self) -> None:
        if self.made:
            topic = self.random.choice(sorted(self.made))
            entry = ConfigEntry(
                "retention.ms",
                str(self.random.randint(10**7, 10**9)),
                incremental_operation=AlterConfigOpType.SET,
            )
            resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
            _wait(self._admin.incremental_alter_configs([resource])[resource])
            self.recorder.count("topics altered")


def _wait(future: "Future[object]") -> None:
    future.result(PATIENCE_SECONDS)


def _name(error: Exception) -> str:
    found = error.args[0] if error.args else None
    return found.name() if isinstance(found, KafkaError) else type(error).__name__
