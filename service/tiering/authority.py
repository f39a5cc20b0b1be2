"""Who may change a partition's tier: its pointer in the metadata store, moved by compare-and-set.

Each start and each leadership claims the pointer before its first append, which fences whoever
held it before; each commit makes it name the next root. Nothing here reads the object store.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from everlog.format.pointer import Pointer, claimed, decode_pointer, encode_pointer, unclaimed
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError, FencedError, RejectedError, RetriableError
from everlog.model.ids import PartitionId
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.stores.backoff import RetryPolicy, wait_s
from service.tiering.stats import TierStats

CLAIMS_AT_ONCE_MAX = 256
"""Pointers of one transaction: at most 128 KiB, far below the limit of a node."""

CLAIM_POLICY = RetryPolicy(deadline_s=60.0)
"""An opening partition is reported as offline rather than waited for without end."""

COMMIT_POLICY = RetryPolicy(deadline_s=None)
"""A commit of unknown outcome is never given up: only its outcome tells what may follow."""


class PointerConflictError(RejectedError):
    """A pointer has another version than it had when it was read; nothing was written."""


class TierFencedError(FencedError):
    """Somebody else has claimed the tier of the partition since."""

    def __init__(self, partition: PartitionId, reason: str) -> None:
        super().__init__(f"the tier of {partition.text} is no longer ours: {reason}")
        self.partition = partition


@dataclass(frozen=True, slots=True)
class StoredPointer:
    """A pointer as it is stored; the payload is empty until the first claim."""

    payload: bytes
    version: int


@dataclass(frozen=True, slots=True)
class PointerWrite:
    """A compare-and-set: replace the payload if it still has ``version``."""

    partition: PartitionId
    payload: bytes
    version: int


class PointerStore(Protocol):
    """Where pointers are kept; every call may raise a `RetriableError` with an unknown outcome."""

    async def read(self, partitions: Sequence[PartitionId]) -> list[StoredPointer | None]:
        """Return what the newest write has left, in order; None where there is no such node."""
        ...

    async def write(self, writes: Sequence[PointerWrite]) -> list[int]:
        """Make all the writes or none; return the new versions.

        Raises:
            PointerConflictError: One has another version, or is gone.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pointer that this broker has claimed, as it was when this broker wrote it last."""

    partition: PartitionId
    pointer: Pointer
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """A wish to own a tier.

    Attributes:
        epoch: Leader epoch of the caller.
        start: Where the tier begins if there is none yet.
        may_begin: Whether to claim a tier that has never been claimed.
    """

    partition: PartitionId
    epoch: LeaderEpoch
    start: Offset
    may_begin: bool


_Waiting = tuple[ClaimRequest, "asyncio.Future[Held | None]"]


class Authority:
    """Claims and commits pointers.

    Claims that arrive at the same time share a transaction, so that thousands of partitions are
    claimed in the time of a few.
    """

    def __init__(
        self,
        store: PointerStore,
        *,
        clock: Clock,
        ids: IdSource,
        stats: TierStats | None = None,
        claim_policy: RetryPolicy = CLAIM_POLICY,
        commit_policy: RetryPolicy = COMMIT_POLICY,
        claims_at_once_max: int = CLAIMS_AT_ONCE_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._stats = stats or TierStats()
        self._claim_policy = claim_policy
        self._commit_policy = commit_policy
        self._claims_at_once_max = claims_at_once_max
        self._waiting: list[_Waiting] = []
        self._is_claiming = False

    async def claim(self, request: ClaimRequest) -> Held | None:
        """Take a tier over for a term; None if it was never begun and is not to be.

        Raises:
            StaleEpochError: A later leader has claimed it.
            TierFencedError: The partition's node is gone.
            CorruptionError: The pointer is damaged.
            RetriableError: The metadata store did not answer for too long.
        """
        answer: asyncio.Future[Held | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if not self._is_claiming:
            await self._claim_waiting()
        return await answer

    async def commit(self, held: Held, pointer: Pointer) -> Held:
        """Move the pointer on; it names ``pointer`` on return.

        Raises:
            TierFencedError: Somebody has claimed it since; what was uploaded is an orphan.
            RetriableError: The metadata store did not answer for too long; it may have moved.
        """
        payload = encode_pointer(pointer)
        write = PointerWrite(held.partition, payload, held.version)
        version = await self._write_one(write)
        return Held(partition=held.partition, pointer=pointer, version=version)

    async def confirm(self, held: Held) -> None:
        """Make sure that nobody has claimed a tier since; others may do so from now on.

        Raises:
            TierFencedError: Somebody has.
            RetriableError: The metadata store did not answer.
        """
        (found,) = await self._store.read([held.partition])
        if found is None or found.version != held.version:
            raise TierFencedError(held.partition, "its pointer was moved")

    async def _claim_waiting(self) -> None:
        self._is_claiming = True
        try:
            # Whoever opens a partition in the same turn of the loop joins the first transaction.
            await asyncio.sleep(0)
            while self._waiting:
                batch = self._waiting[: self._claims_at_once_max]
                del self._waiting[: self._claims_at_once_max]
                await self._claim_batch(batch)
        finally:
            self._is_claiming = False
            left, self._waiting = self._waiting, []
            for _, answer in left:
                answer.cancel()

    async def _claim_batch(self, batch: list[_Waiting]) -> None:
        """Claim all in one transaction; where that fails, one by one."""
        try:
            outcomes = await self._claim_together([request for request, _ in batch])
        except (EverlogError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                for _, answer in batch:
                    answer.cancel()
                raise
            outcomes = None
        for index, (request, answer) in enumerate(batch):
            if answer.done():
                continue
            if outcomes is not None:
                answer.set_result(outcomes[index])
                continue
            try:
                answer.set_result(await self._claim_one(request))
            except EverlogError as error:
                answer.set_exception(error)

    async def _claim_together(self, requests: list[ClaimRequest]) -> list[Held | None]:
        found = await self._store.read([request.partition for request in requests])
        wanted = [_taken(r, node) for r, node in zip(requests, found, strict=True)]
        writes = [_write(held) for held in wanted if held is not None]
        versions = iter(await self._store.write(writes) if writes else ())
        return [None if held is None else _at(held, next(versions)) for held in wanted]

    async def _claim_one(self, request: ClaimRequest) -> Held | None:
        failures = 0
        started = self._clock.monotonic()
        while True:
            try:
                (found,) = await self._store.read([request.partition])
                held = _taken(request, found)
                if held is None:
                    return None
                (version,) = await self._store.write([_write(held)])
                return _at(held, version)
            except (PointerConflictError, RetriableError) as error:
                # After a conflict another start of the same term was first, or our own write of
                # unknown outcome has arrived. Claiming once more is right in both cases.
                failures += 1
                await self._wait(error, self._claim_policy, failures, started)

    async def _write_one(self, write: PointerWrite) -> int:
        """Repeat a compare-and-set until its outcome is known."""
        failures = 0
        started = self._clock.monotonic()
        while True:
            try:
                (version,) = await self._store.write([write])
            except PointerConflictError as error:
                self._stats.commit_conflicts += 1
                return await self._version_of_own(write, error)
            except RetriableError as error:
                # Repeating the same write is safe: it succeeds, or the conflict tells who did.
                failures += 1
                await self._wait(error, self._commit_policy, failures, started)
            else:
                return version

    async def _version_of_own(self, write: PointerWrite, conflict: PointerConflictError) -> int:
        """After a conflict: return the version if the pointer is what we wrote earlier."""
        failures = 0
        started = self._clock.monotonic()
        while True:
            try:
                (found,) = await self._store.read([write.partition])
            except RetriableError as error:
                failures += 1
                await self._wait(error, self._commit_policy, failures, started)
                continue
            if found is not None and found.payload == write.payload:
                return found.version
            raise TierFencedError(write.partition, "its pointer was moved") from conflict

    async def _wait(
        self, error: EverlogError, policy: RetryPolicy, failures: int, started: float
    ) -> None:
        """Wait for the next attempt; raise ``error`` if there is to be none."""
        if policy.deadline_s is not None and self._clock.monotonic() - started > policy.deadline_s:
            raise error
        chance = self._ids.uniform()
        await asyncio.sleep(wait_s(policy, failures=failures, throttled=False, chance=chance))


def _taken(request: ClaimRequest, found: StoredPointer | None) -> Held | None:
    """Return the pointer as it will be once it is claimed, at the version that it has now."""
    if found is None:
        raise TierFencedError(request.partition, "the partition is gone from the metadata")
    if not found.payload and not request.may_begin:
        return None
    before = decode_pointer(found.payload) if found.payload else unclaimed(request.start)
    after = claimed(before, epoch=request.epoch)
    return Held(partition=request.partition, pointer=after, version=found.version)


def _write(held: Held) -> PointerWrite:
    return PointerWrite(held.partition, encode_pointer(held.pointer), held.version)


def _at(held: Held, version: int) -> Held:
    return Held(partition=held.partition, pointer=held.pointer, version=version)
