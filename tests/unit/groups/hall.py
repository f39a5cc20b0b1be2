"""A coordinator with fake surroundings, and clients that call it as handlers do."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from everlog.model.ids import TopicName
from everlog.model.offsets import Offset
from service.groups.calls import Claim, CommitCall, OffsetCommit, SyncCall
from service.groups.committing import Refusals
from service.groups.coordinator import GroupCoordinator
from service.groups.effects import JoinResult, SyncResult
from service.groups.limits import GroupLimits
from tests.unit.groups.fakes import FakeClock, FakeIds, FakeOffsetsLog
from tests.unit.groups.stage import join_call

LIMITS = GroupLimits(initial_rebalance_delay_ms=0, load_retry_ms=1)
GROUP = "group"

ResultT = TypeVar("ResultT")


class Hall:
    """A coordinator; the group's time passes only when it is wound."""

    def __init__(self, log: FakeOffsetsLog, limits: GroupLimits) -> None:
        self.log = log
        self.clock = FakeClock()
        self.ids = FakeIds()
        self.coordinator = GroupCoordinator(log=log, clock=self.clock, ids=self.ids, limits=limits)
        self._calls: list[asyncio.Task[Any]] = []
        self._defects: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: self._defects.append(context)
        )

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def wind(self, duration_ms: int = 0) -> None:
        """Let time pass for the groups."""
        self.clock.now_ms += duration_ms
        self.coordinator.tick()
        await self.settle()

    def start(self, work: Coroutine[Any, Any, ResultT]) -> asyncio.Task[ResultT]:
        """Begin a call that may have to wait."""
        call = asyncio.get_running_loop().create_task(work)
        self._calls.append(call)
        return call

    async def close(self) -> None:
        """Wait for all calls, whatever became of them; nothing may have gone wrong unseen."""
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self.settle()
        assert self._defects == []

    def joining(self, member_id: str = "", **changes: Any) -> asyncio.Task[JoinResult]:
        changes.setdefault("new_member_id", self.coordinator.new_member_id("client"))
        group = changes.pop("group", GROUP)
        return self.start(self.coordinator.join(group, join_call(member_id, **changes)))

    def syncing(
        self,
        joined: JoinResult,
        assignments: dict[str, bytes] | None = None,
        instance_id: str | None = None,
    ) -> asyncio.Task[SyncResult]:
        call = SyncCall(
            claim=Claim(joined.member_id, instance_id),
            generation=joined.generation,
            protocol_type=None,
            protocol=None,
            assignments=assignments or {},
        )
        return self.start(self.coordinator.sync(GROUP, call))

    async def stable(self, size: int = 2, **changes: Any) -> list[JoinResult]:
        """Bring the group to a stable generation; the first member leads."""
        joins = [self.joining(**changes) for _ in range(size)]
        await self.settle()
        for _ in joins:
            await self.wind(1)
        joined = [await join for join in joins]
        given = {each.member_id: each.member_id.encode() for each in joined}
        syncs = [
            self.syncing(each, given if each.leader == each.member_id else None) for each in joined
        ]
        for sync in syncs:
            await sync
        return joined

    async def commit(
        self, *offsets: tuple[str, int, int], group: str = GROUP, **changes: Any
    ) -> Refusals:
        return await self.coordinator.commit(group, commit_call(*offsets, **changes))

    def committed(self, group: str = GROUP) -> dict[tuple[str, int], int]:
        return {
            (str(topic), partition): int(committed.offset)
            for topic, partitions in self.coordinator.fetch(group).items()
            for partition, committed in partitions.items()
        }


def commit_call(*offsets: tuple[str, int, int], **changes: Any) -> CommitCall:
    metadata = changes.pop("metadata", "")
    values: dict[str, Any] = {
        "claim": Claim(""),
        "generation": None,
        "offsets": tuple(
            OffsetCommit(
                topic=TopicName(topic),
                partition=partition,
                offset=Offset(offset),
                metadata=metadata,
            )
            for topic, partition, offset in offsets
        ),
    }
    return CommitCall(**(values | changes))


@asynccontextmanager
async def open_hall(
    log: FakeOffsetsLog | None = None, limits: GroupLimits = LIMITS
) -> AsyncIterator[Hall]:
    """Run a coordinator until the block is left, as by a crash: nothing is said to anybody."""
    hall = Hall(log or FakeOffsetsLog(), limits)
    running = hall.start(hall.coordinator.run())
    await hall.settle()
    try:
        yield hall
    finally:
        running.cancel()
        await hall.close()
