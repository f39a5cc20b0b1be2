"""Stand-ins for what surrounds a coordinator, kept simple and honest."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from random import Random

from everlog.model.errors import EverlogError, FencedError
from everlog.model.offsets import LeaderEpoch
from service.groups.ports import OffsetsRecord


class FakeClock:
    """A clock that stands still until it is wound."""

    def __init__(self) -> None:
        self.now_ms = 1_000

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + self.now_ms

    def monotonic(self) -> float:
        return self.now_ms / 1_000


class FakeIds:
    """Ids from a seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = Random(seed)

    def uuid(self) -> bytes:
        return self._random.randbytes(16)

    def uniform(self) -> float:
        return self._random.random()


class FakeOffsetsLog:
    """The offsets topic in memory, with the promises of `OffsetsLog` and a hand on its durability.

    Attributes:
        records: What is durable, by partition; what a restart would find.
        terms: The partitions that are led here, and in which terms.
        hold: Whether appends wait until `release`.
        failure: What the next appends fail with.
        read_failures: What the next replays fail with.
    """

    def __init__(self, partitions: int | None = 1) -> None:
        self.partitions = partitions
        self.records: dict[int, list[OffsetsRecord]] = {}
        self.terms: dict[int, LeaderEpoch] = {
            partition: LeaderEpoch(1) for partition in range(partitions or 0)
        }
        self.hold = False
        self.failure: EverlogError | None = None
        self.read_failures: deque[EverlogError] = deque()
        self.reading = asyncio.Event()
        self.reading.set()
        self._held: deque[tuple[int, list[OffsetsRecord], asyncio.Future[None]]] = deque()

    def leads(self, partition: int) -> LeaderEpoch | None:
        return self.terms.get(partition)

    def append(
        self,
        partition: int,
        records: Sequence[OffsetsRecord],
        *,
        leader_epoch: LeaderEpoch,
        timeout_ms: int,
    ) -> "asyncio.Future[None]":
        assert timeout_ms > 0
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.terms.get(partition) != leader_epoch:
            done.set_exception(FencedError("another term"))
        elif self.failure is not None:
            done.set_exception(self.failure)
        elif self.hold:
            self._held.append((partition, list(records), done))
        else:
            self._write(partition, records)
            done.set_result(None)
        return done

    def release(self, *, acknowledge: bool = True) -> None:
        """Make everything durable that waits; without an acknowledgement if there is a crash."""
        while self._held:
            partition, records, done = self._held.popleft()
            self._write(partition, records)
            if acknowledge and not done.done():
                done.set_result(None)

    def drop(self, error: EverlogError) -> None:
        """Fail everything that waits."""
        while self._held:
            self._held.popleft()[2].set_exception(error)

    async def replay(
        self, partition: int, *, leader_epoch: LeaderEpoch
    ) -> AsyncIterator[Iterable[OffsetsRecord]]:
        await self.reading.wait()
        if self.read_failures:
            raise self.read_failures.popleft()
        if self.terms.get(partition) != leader_epoch:
            raise FencedError("another term")
        records = self.records.get(partition, [])
        for start in range(0, len(records), 100):
            yield records[start : start + 100]

    def _write(self, partition: int, records: Iterable[OffsetsRecord]) -> None:
        self.records.setdefault(partition, []).extend(records)
