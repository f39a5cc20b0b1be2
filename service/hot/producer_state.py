"""What a partition remembers of idempotent producers: a retry gets the first answer again.

For each producer id its epoch and its last five batches (REL-D1; Kafka's `ProducerStateEntry`). The
state is a function of the log: it is rebuilt by reading batch headers, from a snapshot on (REL-D2).
"""

from collections.abc import Iterator
from struct import Struct

from everlog.model.errors import CorruptionError, RejectedError
from everlog.records.batch import BatchHeader
from service.hot.checked_file import with_checksum, without_checksum

BATCHES_KEPT = 5
"""As many as a producer may have in flight on a connection with idempotence."""

SEQUENCE_LIMIT = 1 << 31

_MAGIC = b"EVLP"
_SNAPSHOT = Struct("<4sHHqI")
_PRODUCER = Struct("<qhHq")
_BATCH = Struct("<iiq")
_VERSION = 1


class OutOfOrderSequenceError(RejectedError):
    """The batch is neither the next one of its producer nor a retry that is still remembered."""


class ProducerEpochError(RejectedError):
    """A newer instance of the producer has written already."""


class _Producer:
    """One producer: ``batches`` are (first sequence, last sequence, base offset), oldest first."""

    __slots__ = ("batches", "epoch", "last_ms")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.last_ms = 0
        self.batches: list[tuple[int, int, int]] = []


class ProducerStates:
    """The producers of one partition."""

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def __len__(self) -> int:
        return len(self._producers)

    def check(self, header: BatchHeader) -> int | None:
        """Decide whether a batch may be appended; return its first base offset if it was before.

        Raises:
            OutOfOrderSequenceError: A batch is missing before it.
            ProducerEpochError: Its epoch is older than the known one.
        """
        known = self._producers.get(header.producer_id)
        if known is None:
            # The state may have expired, so any sequence is accepted (redpanda #22670).
            return None
        first, epoch = header.base_sequence, header.producer_epoch
        if epoch < known.epoch:
            raise ProducerEpochError(
                f"epoch {epoch} of producer {header.producer_id} is older than {known.epoch}"
            )
        if epoch > known.epoch:
            if first != 0:
                raise OutOfOrderSequenceError(
                    f"epoch {epoch} begins with sequence {first} instead of 0"
                )
            return None
        last = _last_sequence(header)
        for known_first, known_last, base_offset in known.batches:
            if known_first == first and known_last == last:
                return base_offset
        expected = (known.batches[-1][1] + 1) % SEQUENCE_LIMIT
        if first != expected:
            raise OutOfOrderSequenceError(
                f"producer {header.producer_id} sent sequence {first}; {expected} comes next"
            )
        return None

    def note(self, header: BatchHeader, base_offset: int, *, now_ms: int) -> None:
        """Remember a batch that is in the log at ``base_offset``."""
        known = self._producers.get(header.producer_id)
        if known is None or header.producer_epoch > known.epoch:
            known = self._producers[header.producer_id] = _Producer(header.producer_epoch)
        known.last_ms = now_ms
        known.batches.append((header.base_sequence, _last_sequence(header), base_offset))
        if len(known.batches) > BATCHES_KEPT:
            del known.batches[0]

    def last_bases(self) -> frozenset[int]:
        """Return the base offset of the last batch of each producer."""
        return frozenset(known.batches[-1][2] for known in self._producers.values())

    def expire(self, *, now_ms: int, expiration_ms: int) -> None:
        """Forget producers that have been silent for longer than ``producer.id.expiration.ms``."""
        if not self._producers:
            return
        self._producers = {
            producer_id: known
            for producer_id, known in self._producers.items()
            if now_ms - known.last_ms <= expiration_ms
        }

    def encode(self, offset: int) -> bytes:
        """Write a snapshot of the state just before ``offset`` (layout: docs/formats.md)."""
        out = bytearray(_SNAPSHOT.pack(_MAGIC, _VERSION, 0, offset, len(self._producers)))
        for producer_id, known in self._producers.items():
            out += _PRODUCER.pack(producer_id, known.epoch, len(known.batches), known.last_ms)
            for batch in known.batches:
                out += _BATCH.pack(*batch)
        return with_checksum(out)


def decode_producers(content: bytes) -> tuple[ProducerStates, int]:
    """Read a snapshot; return the state and the offset that it was taken before.

    Raises:
        CorruptionError: The snapshot is damaged; the state has to be rebuilt from the log.
    """
    body = without_checksum(content, bytes_min=_SNAPSHOT.size, name="snapshot of producers")
    magic, version, _, offset, count = _SNAPSHOT.unpack_from(body)
    if magic != _MAGIC or version != _VERSION:
        raise CorruptionError(f"a producer snapshot of format {magic!r} {version} is not known")
    states = ProducerStates()
    for producer_id, known in _producers(body, count):
        states._producers[producer_id] = known  # noqa: SLF001
    return states, offset


def _producers(body: memoryview, count: int) -> Iterator[tuple[int, _Producer]]:
    position = _SNAPSHOT.size
    for _ in range(count):
        producer_id, epoch, batches, last_ms = _PRODUCER.unpack_from(body, position)
        position += _PRODUCER.size
        known = _Producer(epoch)
        known.last_ms = last_ms
        end = position + batches * _BATCH.size
        known.batches = list(_BATCH.iter_unpack(body[position:end]))
        position = end
        yield producer_id, known


def _last_sequence(header: BatchHeader) -> int:
    return (header.base_sequence + header.last_offset_delta) % SEQUENCE_LIMIT
