"""Producers that are killed and started again while they send."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from typing_extensions import override

from tests.cluster.recording import VALUE_BITS, Client, Recorder, payload_of
from tests.history.operations import Outcome, Partition, Send

BURST_RECORDS_MAX = 20
BATCH_BYTES_MAX = 16 << 10
"""A segment has to hold it."""

PATIENCE_SECONDS = 60
WAITING_RECORDS_MAX = 300
"""A producer that has sent so many and heard of none sends no more yet."""
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

PROMISED: Mapping[str, object] = {"enable.idempotence": True, "acks": "all"}
UNPROMISED: Mapping[str, object] = {"acks": 1}

SURE_REFUSALS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD}
"""Whatever was tried before such an answer was not taken either.

No other error is sure: what was tried before may have been taken, and its answer lost.
"""


class Producing(Client):
    """Sends bursts of records to random partitions.

    Args:
        settings: `PROMISED` or `UNPROMISED`.
        pause_seconds: Between two bursts, on an average.
    """

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        *,
        seed: int,
        bootstrap: str,
        partitions: Sequence[Partition],
        settings: Mapping[str, object],
        pause_seconds: float,
    ) -> None:
        super().__init__(name, recorder, seed=seed)
        self._servers = bootstrap
        self._partitions = partitions
        self._settings = settings
        self._pause_seconds = pause_seconds

    @override
    def work(self) -> None:
        while not self.is_stopping:
            _Life(self, self._new_producer(), is_promised=self._settings is PROMISED).live(
                self._partitions, self._pause_seconds
            )

    def _new_producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._servers,
                "batch.size": BATCH_BYTES_MAX,
                "linger.ms": self.random.choice((0, 5, 50)),
                "compression.type": self.random.choice(CODECS),
                "batch.num.messages": self.random.choice((5, 20, 10_000)),
                "message.timeout.ms": PATIENCE_SECONDS * 1000,
                "socket.timeout.ms": 5000,
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 500,
                "retry.backoff.ms": 50,
                "log_level": 0,
                **self._settings,
            }
        )


class _Life:
    """One producer from its start to its death; what it has not heard of then is unknown."""

    def __init__(self, owner: Producing, producer: Producer, *, is_promised: bool) -> None:
        number = owner.recorder.new_life()
        self._owner = owner
        self._name = f"{owner.name}.{number}"
        self._producer = producer
        self._is_promised = is_promised
        self._next = number << VALUE_BITS
        self._waiting: dict[int, tuple[Partition, float]] = {}
        self._is_over = False

    def live(self, partitions: Sequence[Partition], pause_seconds: float) -> None:
        owner = self._owner
        end = owner.end_of_life()
        while not owner.is_stopping and not self._is_over and time.monotonic() < end:
            if len(self._waiting) < WAITING_RECORDS_MAX:
                partition = owner.random.choice(partitions)
                for _ in range(owner.random.randint(1, BURST_RECORDS_MAX)):
                    self._send(partition)
            self._producer.poll(owner.random.expovariate(1 / pause_seconds))
        if owner.is_stopping:
            self._producer.flush(PATIENCE_SECONDS + 10)
        self._die()

    def _send(self, partition: Partition) -> None:
        value = self._next
        self._next += 1
        self._waiting[value] = (partition, time.monotonic())
        try:
            self._producer.produce(
                partition.topic,
                payload_of(value),
                partition=partition.number,
                on_delivery=partial(self._note, value),
            )
        except BufferError:
            self._end(value, Outcome.FAILED, None)
        except KafkaException as error:
            self._owner.recorder.count(f"producers: {error.args[0].name()}")
            self._is_over = True
            self._end(value, Outcome.FAILED, None)

    def _note(self, value: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._end(value, Outcome.OK, message.offset())
            return
        self._owner.recorder.count(f"producers: {error.name()}")
        # librdkafka goes on in another epoch, in which it may send again what has arrived already.
        self._owner.recorder.history.disturbed.add(self._name)
        self._is_over = True
        is_sure = error.code() in SURE_REFUSALS
        self._end(value, Outcome.FAILED if is_sure else Outcome.UNKNOWN, None)

    def _end(self, value: int, outcome: Outcome, offset: int | None) -> None:
        found = self._waiting.pop(value, None)
        if found is None:
            return
        partition, invoked = found
        self._owner.recorder.send(
            Send(
                process=self._name,
                partition=partition,
                value=value,
                is_promised=self._is_promised,
                invoked=invoked,
                completed=time.monotonic(),
                outcome=outcome,
                offset=offset,
            )
        )

    def _die(self) -> None:
        self._producer.purge()
        self._producer.poll(0)
        for value in list(self._waiting):
            self._end(value, Outcome.UNKNOWN, None)
