"""Where all clients of a run write down what they do, and what is counted besides."""

import itertools
import random
import threading
import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tests.history.operations import DAMAGED, Assigned, History, Outcome, Partition, Poll, Send

PAYLOAD_BYTES = 600
VALUE_BITS = 24
"""A producer sends fewer records than that many bits count."""


@lru_cache(1 << 14)
def payload_of(value: int) -> bytes:
    """Return what a record says, which no other record says, and no codec makes shorter."""
    return b"%d." % value + random.Random(value).randbytes(PAYLOAD_BYTES)


def value_of(payload: bytes | None) -> int:
    """Return which record this is, `DAMAGED` if it is none that was sent so."""
    text = (payload or b"").partition(b".")[0]
    if not text.isdigit() or payload_of(int(text)) != payload:
        return DAMAGED
    return int(text)


@dataclass
class Recorder:
    """Thread-safe, as far as lists and counters of CPython are.

    Attributes:
        local_starts: Where the oldest local segment of each partition begins, on any broker. What
            is read below that comes from the store.
        counts: Records sent, acknowledged, read, read from the store, and whatever else.
        acknowledged_at: Times of acknowledgements of promised records.
    """

    history: History = field(default_factory=History)
    local_starts: Mapping[Partition, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged_at: "array[float]" = field(default_factory=lambda: array("d"))
    _lives: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_life(self) -> int:
        """Return a number that no other life of a client has."""
        return next(self._lives)

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def send(self, send: Send) -> None:
        """Note how a send ended."""
        self.history.sends.append(send)
        with self._lock:
            self.counts[f"sends {send.outcome.name.lower()}"] += 1
            if send.is_promised and send.outcome is Outcome.OK:
                self.counts["acknowledged"] += 1
                self.acknowledged_at.append(send.completed)

    def poll(
        self,
        process: str,
        partition: Partition,
        assignment: int,
        records: Sequence[tuple[int, int, int]],
        *,
        is_final: bool = False,
    ) -> None:
        """Note what a consumer was given: (offset, value, leader epoch) of each record."""
        offsets = array("q", [each[0] for each in records])
        self.history.polls.append(
            Poll(
                process=process,
                partition=partition,
                assignment=assignment,
                offsets=offsets,
                values=array("q", [each[1] for each in records]),
                epochs=array("q", [each[2] for each in records]),
                is_final=is_final,
            )
        )
        local = self.local_starts.get(partition, 0)
        with self._lock:
            self.counts["read"] += len(offsets)
            self.counts["read from the store"] += sum(offset < local for offset in offsets)

    def assigned(
        self, process: str, group: str, generation: int, partitions: Sequence[Partition]
    ) -> None:
        """Note which partitions a member has from now on."""
        self.count("rebalances")
        self.history.assigned.append(
            Assigned(
                process=process, group=group, generation=generation, partitions=tuple(partitions)
            )
        )


class Client(threading.Thread):
    """A client in a thread of its own, that ends when it is asked to.

    Attributes:
        failure: What it should not have met, and ended by.
    """

    def __init__(self, name: str, recorder: Recorder, *, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.recorder = recorder
        self.random = random.Random(f"{seed}/{name}")
        self.failure: Exception | None = None
        self._stopping = threading.Event()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask it to end."""
        self._stopping.set()

    def rest(self, seconds: float) -> None:
        """Do nothing for so long, or until it is to end."""
        self._stopping.wait(seconds)

    def end_of_life(self) -> float:
        """Choose when this life ends, in the middle of things."""
        return time.monotonic() + self.random.uniform(15, 45)

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # noqa: BLE001  (told at the end of the run)
            self.failure = error

    def work(self) -> None:
        raise NotImplementedError
