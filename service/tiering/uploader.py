"""Gets one planned object into the store, however often that has to be tried."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from everlog.format.entries import Entry
from everlog.format.object_keys import PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.segment_sections import EpochStart
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import CorruptionError, RejectedError, RetriableError
from everlog.model.object_lock import LockRule, ObjectLock
from everlog.model.offsets import LeaderEpoch
from everlog.model.storage_class import StorageClass
from everlog.stores.backoff import RetryPolicy, Waits
from everlog.stores.body import FilePart
from everlog.stores.errors import StoreCorruptionError, StoreThrottledError
from everlog.stores.object_store import ObjectStore
from service.tiering.planner import UploadPlan
from service.tiering.upload_gate import UploadGate
from service.tiering.worker.channel import Fields
from service.tiering.worker.remote_store import Caller
from service.tiering.worker.sealing import SealOrder
from service.tiering.worker.storing import upload_object
from service.tiering.worker.transfers import order_fields, sealed_fields

FOR_EVER = RetryPolicy(deadline_s=None)

REFUSED = RetryPolicy(transient_wait_s_min=1.0, transient_wait_s_max=30.0, deadline_s=None)
"""A refusal needs a person, so it is tried again without haste."""

Failure = CorruptionError | RejectedError | RetriableError

BackOff = Callable[[float], Awaitable[None]]
"""Waits so many seconds before the next attempt."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """An object that is in the store, verified, and not yet part of the tier."""

    entry: Entry
    end_epoch: LeaderEpoch


class SealAndPut(Protocol):
    """Builds an object from files and stores it; safe to repeat with the same order."""

    async def __call__(self, order: SealOrder) -> Fields:
        """Return the facts of `sealed_fields`; raises what `upload_object` raises."""
        ...


def through_worker(worker: Caller) -> SealAndPut:
    """Let the transfer process do it.

    It should give up soon: while it tries again, others are kept from their upload.
    """

    async def seal_and_put(order: SealOrder) -> Fields:
        return (await worker.call("upload", order_fields(order)))[0]

    return seal_and_put


def in_process(store: ObjectStore) -> SealAndPut:
    """Do it in this process: for tests and the simulator, whose store is in memory."""

    async def seal_and_put(order: SealOrder) -> Fields:
        return sealed_fields(await upload_object(store, order))

    return seal_and_put


class Uploader:
    """Uploads plans as the gate lets them through, and never gives up (TIER-8)."""

    def __init__(
        self,
        seal_and_put: SealAndPut,
        *,
        gate: UploadGate,
        clock: Clock,
        ids: IdSource,
        policy: RetryPolicy = FOR_EVER,
    ) -> None:
        self.gate = gate
        self._seal_and_put = seal_and_put
        self._clock = clock
        self._ids = ids
        self._policy = policy

    async def upload(
        self,
        plan: UploadPlan,
        *,
        path: PartitionPath,
        stamp: Stamp,
        lineage: list[EpochStart],
        since_ms: int,
        back_off: BackOff,
        storage_class: StorageClass = StorageClass.STANDARD,
        lock: LockRule | None = None,
    ) -> Uploaded:
        """Store the object of a plan; return once it is verified.

        Between two attempts it does not count as under way: ``back_off`` is awaited, and then it
        queues up anew. The oldest record of the partition waits since ``since_ms``, wall time.

        Raises:
            CorruptObjectError: The local segments do not hold what was planned.
        """
        waits, refusals = Waits(self._policy), Waits(REFUSED)
        uid = Uid(self._ids.uuid())
        created_ms = self._clock.wall_ms()
        while True:
            key = SegmentKey(path=path, offsets=plan.offsets, stamp=stamp, uid=uid)
            order = SealOrder(
                key=key,
                parts=[FilePart(each.path, each.position, each.length) for each in plan.ranges],
                lineage=lineage,
                producers_path=plan.producers_path,
                created_ms=created_ms,
                storage_class=storage_class,
                lock=None if lock is None else lock.at(self._clock.wall_ms()),
            )
            try:
                async with self.gate.admitted(path, size=plan.data_bytes, since_ms=since_ms):
                    facts = await self._seal_and_put(order)
                    return _uploaded(order, facts)
            except StoreCorruptionError as error:
                # Something else may be under that name now: never touch it again (TIER-26).
                uid = Uid(self._ids.uuid())
                failure: Failure = error
            except (RetriableError, RejectedError) as error:
                failure = error
            kind = refusals if isinstance(failure, RejectedError) else waits
            wait = kind.after_failure(
                throttled=isinstance(failure, StoreThrottledError), chance=self._ids.uniform()
            )
            _report(failure, waits.failures + refusals.failures, key, wait)
            await back_off(wait)


def _report(failure: Failure, failures: int, key: SegmentKey, wait: float) -> None:
    """Say why an upload waits, ever more rarely."""
    if failures & (failures - 1) == 0:
        _log.warning(
            "upload_failed",
            object=key.text,
            failures=failures,
            reason=str(failure),
            wait_s=wait,
        )


def _uploaded(order: SealOrder, facts: Fields) -> Uploaded:
    return Uploaded(
        entry=entry_from(
            order.key,
            facts,
            created_ms=order.created_ms,
            storage_class=order.storage_class,
            lock=order.lock,
        ),
        end_epoch=LeaderEpoch(facts["end_epoch"]),
    )


def entry_from(
    key: SegmentKey,
    facts: Fields,
    *,
    created_ms: int,
    storage_class: StorageClass,
    lock: ObjectLock | None,
) -> Entry:
    """Return the manifest entry of an object, given the facts of `sealed_fields`."""
    return Entry(
        offsets=key.offsets,
        max_timestamp=facts["max_timestamp"],
        size_bytes=facts["size_bytes"],
        data_bytes=facts["data_bytes"],
        records=facts["records"],
        stamp=key.stamp,
        uid=key.uid,
        crc32c=facts["crc32c"],
        aborted=facts["aborted"],
        created_ms=created_ms,
        class_number=storage_class,
        lock=lock,
    )
