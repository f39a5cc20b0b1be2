"""Members of a group: kafka-python, which unlike librdkafka tells the generation."""

import time
from collections.abc import Sequence

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka import TopicPartition as Place
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata
from typing_extensions import override

from tests.cluster.recording import Client, Recorder, value_of
from tests.history.operations import Commit, Outcome, Partition, Resumed

GROUP = "members"
POLL_MS = 200
SHARE_OF_COMMITS = 0.3
COMMIT_MS_MAX = 5000
SESSION_MS = 3000
ERROR_SECONDS = 0.5


class Membership(Client):
    """One member after the other, each for a while."""

    def __init__(
        self, name: str, recorder: Recorder, *, seed: int, bootstrap: str, topic: str
    ) -> None:
        super().__init__(name, recorder, seed=seed)
        self._servers = bootstrap
        self._topic = topic

    @override
    def work(self) -> None:
        while not self.is_stopping:
            try:
                _Member(self, self._servers, self._topic).live()
            except KafkaError as error:
                # Whatever ends a member, another one takes its place.
                self.recorder.count(f"members: {type(error).__name__}")
                self.rest(ERROR_SECONDS)


class _Member(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, owner: Membership, bootstrap: str, topic: str) -> None:
        self._owner = owner
        self._recorder = owner.recorder
        self._name = f"{owner.name}.{owner.recorder.new_life()}"
        self._assignments = 0
        self._new: list[Place] = []
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=500,
            request_timeout_ms=6000,
            reconnect_backoff_max_ms=500,
            metadata_max_age_ms=3000,
        )
        self._consumer.subscribe([topic], listener=self)

    def live(self) -> None:
        owner = self._owner
        end = owner.end_of_life()
        try:
            while not owner.is_stopping and time.monotonic() < end:
                polled = self._consumer.poll(timeout_ms=POLL_MS, max_records=300)
                self._note_resumptions()
                for place, records in polled.items():
                    self._note_records(place, records)
                if polled and owner.random.random() < SHARE_OF_COMMITS:
                    self._commit()
        finally:
            self._consumer.close(autocommit=False, timeout_ms=COMMIT_MS_MAX)

    def on_partitions_revoked(self, revoked: Sequence[Place]) -> None:
        self._new = []

    def on_partitions_assigned(self, assigned: Sequence[Place]) -> None:
        self._assignments += 1
        self._new = list(assigned)
        self._recorder.assigned(
            self._name,
            GROUP,
            self._consumer.group_metadata().generation_id,
            [Partition(each.topic, each.partition) for each in assigned],
        )

    def _note_resumptions(self) -> None:
        """Ask where the group has got to, before this member commits anything in its term."""
        new, self._new = self._new, []
        for place in new:
            invoked = time.monotonic()
            offset = self._consumer.committed(place, timeout_ms=COMMIT_MS_MAX)
            self._recorder.history.resumed.append(
                Resumed(
                    process=self._name,
                    group=GROUP,
                    partition=Partition(place.topic, place.partition),
                    offset=offset,
                    invoked=invoked,
                    completed=time.monotonic(),
                )
            )

    def _note_records(self, place: Place, records: Sequence[object]) -> None:
        found = [(each.offset, value_of(each.value), -1) for each in records]  # type: ignore[attr-defined]
        partition = Partition(place.topic, place.partition)
        self._recorder.poll(self._name, partition, self._assignments, found)

    def _commit(self) -> None:
        """Commit where it has got to, in all of its partitions."""
        offsets = {
            place: self._consumer.position(place, timeout_ms=COMMIT_MS_MAX)
            for place in self._consumer.assignment()
        }
        invoked = time.monotonic()
        outcome = Outcome.UNKNOWN
        try:
            wanted = {place: OffsetAndMetadata(at, "", -1) for place, at in offsets.items()}
            self._consumer.commit(wanted, timeout_ms=COMMIT_MS_MAX)
            outcome = Outcome.OK
        except CommitFailedError:
            outcome = Outcome.UNKNOWN
        finally:
            self._note_commits(offsets, invoked, outcome)

    def _note_commits(self, offsets: dict[Place, int], invoked: float, outcome: Outcome) -> None:
        self._recorder.count(f"commits {outcome.name.lower()}")
        for place, offset in offsets.items():
            self._recorder.history.commits.append(
                Commit(
                    process=self._name,
                    group=GROUP,
                    partition=Partition(place.topic, place.partition),
                    offset=offset,
                    invoked=invoked,
                    completed=time.monotonic(),
                    outcome=outcome,
                )
            )
