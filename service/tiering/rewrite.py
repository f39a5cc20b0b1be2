"""Merges objects as planned: at most a few at a time, and no more bytes a second than allowed.

What is made becomes part of the tier only by a commit in the partition's own turn; until then, and
if that commit is refused, nothing names it, and its own name tells so (`service.tiering.orphans`).
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from everlog.format.entries import Entry
from everlog.format.object_keys import PartitionPath, SegmentKey, Stamp, Uid
from everlog.format.replacing import Replacement
from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError, RejectedError
from everlog.model.object_lock import ObjectLock, strictest
from everlog.model.storage_class import StorageClass
from everlog.stores.object_store import ObjectStore
from service.tiering.byte_budget import ByteBudget
from service.tiering.merging import MergePlan
from service.tiering.uploader import entry_from
from service.tiering.worker.channel import Fields
from service.tiering.worker.merging import MergeInput, MergeOrder, merge_fields, merge_objects
from service.tiering.worker.remote_store import Caller
from service.tiering.worker.transfers import sealed_fields

MERGES_MAX = 2
"""Under way at a time, of all partitions of a broker; each takes disk for one object."""

MERGES_WAITING_MAX = 64
"""Planned and not begun; partitions beyond plan later."""

_log = structlog.get_logger(__name__)


HomeOf = Callable[[Entry], PartitionPath]
"""Tells below whose names a planned object lies."""


class MergeObjects(Protocol):
    """Makes one object of several; safe to repeat with the same order."""

    async def __call__(self, order: MergeOrder) -> Fields:
        """Return the facts of `sealed_fields`; raises what `merge_objects` raises."""
        ...


def merged_by_worker(worker: Caller) -> MergeObjects:
    """Let the transfer process do it."""

    async def merge(order: MergeOrder) -> Fields:
        return (await worker.call("merge", merge_fields(order)))[0]

    return merge


def merged_in_process(store: ObjectStore) -> MergeObjects:
    """Do it in this process: for tests and the simulator, whose store is in memory."""

    async def merge(order: MergeOrder) -> Fields:
        return sealed_fields(await merge_objects(store, order))

    return merge


class Merge:
    """A merge, from its plan to what it has made.

    Attributes:
        key: Of the object that is made.
        storage_class: Of that.
        lock: Of that, too.
        made: What a commit can put in the place of the planned objects.
        failure: Why there is nothing.
        is_over: Whether either is known.
    """

    def __init__(
        self,
        plan: MergePlan,
        key: SegmentKey,
        storage_class: StorageClass,
        lock: ObjectLock | None,
        home_of: HomeOf,
        on_over: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.key = key
        self.storage_class = storage_class
        self.lock = lock
        self.made: Replacement | None = None
        self.failure: EverlogError | None = None
        self.is_over = False
        self.on_over = on_over
        self._home_of = home_of
        self.task: asyncio.Task[None] | None = None

    @property
    def is_move(self) -> bool:
        """Whether it makes one object of one, for the sake of the class."""
        return len(self.plan.entries) == 1

    def inputs(self) -> list[MergeInput]:
        """Return the planned objects as the transfer process is told of them."""
        return [
            MergeInput(
                key=each.key(self._home_of(each)),
                size_bytes=each.size_bytes,
                data_bytes=each.data_bytes,
                records=each.records,
                crc32c=each.crc32c,
            )
            for each in self.plan.entries
        ]

    def finish(self, outcome: Entry | EverlogError) -> None:
        """Take note of the outcome, and tell whoever planned it."""
        if isinstance(outcome, Entry):
            self.made = Replacement(old=self.plan.entries, new=(outcome,))
        else:
            self.failure = outcome
        self.is_over = True
        self.on_over()

    async def drop(self) -> None:
        """Let nobody work on it any more."""
        self.is_over = True
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])


class Merger:
    """Carries out merges, those that were begun first.

    Args:
        directory: For the batches of objects that are being merged; it exists.
        bytes_per_second: Batches that may be read, and written again, on average; 0 for none.
    """

    def __init__(
        self,
        merge_objects: MergeObjects,
        *,
        directory: str,
        bytes_per_second: int,
        clock: Clock,
        ids: IdSource,
        merges_max: int = MERGES_MAX,
        waiting_max: int = MERGES_WAITING_MAX,
    ) -> None:
        self.is_on = bytes_per_second > 0
        self._merge_objects = merge_objects
        self._directory = directory
        self._budget = ByteBudget(bytes_per_second=bytes_per_second)
        self._clock = clock
        self._ids = ids
        self._merges_max = merges_max
        self._waiting: asyncio.Queue[Merge] = asyncio.Queue(waiting_max)

    @property
    def has_room(self) -> bool:
        """Whether another merge may be begun."""
        return self.is_on and not self._waiting.full()

    def begin(
        self,
        plan: MergePlan,
        *,
        path: PartitionPath,
        stamp: Stamp,
        on_over: Callable[[], None],
        home_of: HomeOf | None = None,
        storage_class: StorageClass = StorageClass.STANDARD,
    ) -> Merge:
        """Put a merge into the queue, which has room; ``on_over`` is called at its end."""
        uid = Uid(self._ids.uuid())
        key = SegmentKey(path=path, offsets=plan.offsets, stamp=stamp, uid=uid)
        # What they replace may be locked; so long is what takes its place (ADR 21).
        lock = strictest((each.lock for each in plan.entries), now_ms=self._clock.wall_ms())
        home_of = home_of or (lambda _: path)
        merge = Merge(plan, key, storage_class, lock, home_of, on_over)
        self._waiting.put_nowait(merge)
        return merge

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._merges_max):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            merge = await self._waiting.get()
            async with asyncio.TaskGroup() as one:
                # A task of its own, so that it can be dropped.
                merge.task = one.create_task(self._carry_out(merge))

    async def _carry_out(self, merge: Merge) -> None:
        if merge.is_over:
            return
        await asyncio.sleep(self._budget.wait_s(merge.plan.data_bytes, self._clock.monotonic()))
        created_ms = merge.plan.created_ms
        order = MergeOrder(
            key=merge.key,
            inputs=merge.inputs(),
            path=f"{self._directory}/{merge.key.uid.hex()}",
            created_ms=created_ms,
            storage_class=merge.storage_class,
            lock=merge.lock,
        )
        try:
            facts = await self._merge_objects(order)
        except EverlogError as error:
            _log.warning("merge_failed", object=merge.key.text, reason=str(error))
            merge.finish(error)
        except Exception as error:  # noqa: BLE001  (it must not end others' work, TIER-28)
            _log.exception("merge_failed", object=merge.key.text)
            merge.finish(RejectedError(f"defect: {error!r}"))
        else:
            merge.finish(
                entry_from(
                    merge.key,
                    facts,
                    created_ms=created_ms,
                    storage_class=order.storage_class,
                    lock=order.lock,
                )
            )
