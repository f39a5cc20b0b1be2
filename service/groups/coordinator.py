"""The coordinator of the groups whose partitions this broker leads."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Mapping, Sequence

import structlog

from everlog.model.clock import Clock, IdSource
from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.groups import committing, joining, sessions, syncing
from service.groups.calls import Claim, CommitCall, JoinCall, SyncCall
from service.groups.committing import Refusals
from service.groups.descriptions import (
    GroupDescription,
    GroupFilter,
    GroupListing,
    describe_group,
    list_group,
)
from service.groups.effects import JoinResult, SyncResult
from service.groups.errors import (
    CoordinatorLoadingError,
    InvalidGroupIdError,
    UnknownMemberError,
)
from service.groups.handing_over import hand_over
from service.groups.hosted import HostedGroup
from service.groups.limits import GroupLimits
from service.groups.offset_record import CommittedOffset
from service.groups.offsets import Place
from service.groups.ports import OffsetsLog
from service.groups.sessions import Departure
from service.groups.shard import Shard, ShardState
from service.groups.shards import Shards
from service.groups.timers import Timers
from service.model.committed_offsets import CommittedOffsets

_log = structlog.get_logger(__name__)

_ID_HINT_CHARS_MAX = 255
_REASON_CHARS_MAX = 255
_NOTHING: Mapping[TopicName, Mapping[int, CommittedOffset]] = {}


class GroupCoordinator:
    """Consumer groups, as far as this broker coordinates them.

    Every call is for a group and raises, besides what it says itself:

    - `NotCoordinatorError`: another broker coordinates it; ask FindCoordinator.
    - `CoordinatorLoadingError`: this broker does, and is still reading what it has to know.
    - `CoordinatorUnavailableError`: the offsets topic cannot be read, or not be written.
    - `InvalidGroupIdError`: a group cannot have that name.

    A caller that stops waiting changes nothing: what it asked for takes place all the same.
    """

    def __init__(
        self, *, log: OffsetsLog, clock: Clock, ids: IdSource, limits: GroupLimits | None = None
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._limits = limits or GroupLimits()
        self._wake = asyncio.Event()
        self._timers = Timers(on_earlier=self._wake.set)
        self._shards = Shards(
            log=log,
            clock=clock,
            limits=self._limits,
            timers=self._timers,
            on_begun=self._wake.set,
        )

    # ---- life

    async def run(self) -> None:
        """Load what this broker leads and act on deadlines, until cancelled; then answer all."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self.leadership_changed()
                tasks.create_task(self._expire_offsets())
                while True:
                    self._wake.clear()
                    for shard in self._shards.take_unloaded():
                        tasks.create_task(self._shards.load(shard))
                    self.tick()
                    await self._until_next_deadline()
        finally:
            self._shards.close()

    def leadership_changed(self) -> None:
        """Compare with the log which partitions this broker leads, and in which terms."""
        self._shards.compare()

    def tick(self) -> None:
        """Act on every deadline that has passed; `run` does so in time."""
        self._timers.act_on_due(int(self._clock.monotonic() * 1_000))

    @property
    def waiting_calls(self) -> int:
        """How many calls wait for their answer."""
        return sum(shard.waiting_calls for shard in self._shards)

    # ---- members

    def new_member_id(self, hint: str) -> str:
        """Return an id that no member has had, beginning with its client id or instance id."""
        return f"{hint[:_ID_HINT_CHARS_MAX]}-{uuid.UUID(bytes=self._ids.uuid())}"

    async def join(self, group_id: str, call: JoinCall) -> JoinResult:
        """Wait for the next generation of a group, as a member of it.

        Raises:
            EverlogError: As `joining.admit_join` and `joining.join`.
        """
        shard = self._shards.of(_named(group_id))
        joining.admit_join(call, self._limits)
        if call.claim.member_id and group_id not in shard.groups:
            raise UnknownMemberError
        if call.reason:
            _log.debug("group_join", group=group_id, reason=call.reason[:_REASON_CHARS_MAX])
        hosted = shard.host(group_id)
        ticket, answer = shard.open_ticket()
        shard.apply(hosted, joining.join(hosted.group, call, ticket, shard.now(), self._limits))
        result: JoinResult = await answer
        return result

    async def sync(self, group_id: str, call: SyncCall) -> SyncResult:
        """Wait for the assignment of a member; the leader brings those of all."""
        shard, hosted = self._member_of(group_id)
        ticket, answer = shard.open_ticket()
        shard.apply(hosted, syncing.sync(hosted.group, call, ticket, shard.now()))
        result: SyncResult = await answer
        return result

    def heartbeat(self, group_id: str, claim: Claim, generation: int) -> None:
        """Note that a member is alive. Raises as `sessions.heartbeat`."""
        shard, hosted = self._member_of(group_id)
        try:
            sessions.heartbeat(hosted.group, claim, generation, shard.now())
        finally:
            shard.arm(hosted)

    def leave(self, group_id: str, claims: Sequence[Claim]) -> list[Departure]:
        """Let members go; return what became of each."""
        shard, hosted = self._member_of(group_id)
        departures, effects = sessions.leave(hosted.group, claims, shard.now(), self._limits)
        shard.apply(hosted, effects)
        return departures

    # ---- offsets

    async def commit(self, group_id: str, call: CommitCall) -> Refusals:
        """Keep offsets; durable on return, but for those that are returned with an error."""
        refusals: Refusals = await committing.commit(self._shards.of(group_id), group_id, call)
        return refusals

    def fetch(self, group_id: str) -> Mapping[TopicName, Mapping[int, CommittedOffset]]:
        """Return the durable offsets of a group, a view; empty if there is no such group."""
        hosted = self._shards.of(group_id).groups.get(group_id)
        return _NOTHING if hosted is None else hosted.offsets.topics

    async def delete_offsets(self, group_id: str, places: Sequence[Place]) -> Refusals:
        """Forget offsets; gone for good on return. Raises as `committing.delete_offsets`."""
        shard = self._shards.of(group_id)
        refusals: Refusals = await committing.delete_offsets(shard, group_id, places)
        return refusals

    def topics_deleted(self, topics: Iterable[TopicName]) -> None:
        """Forget all offsets in topics that do not exist any more."""
        gone = frozenset(topics)
        for shard in self._shards.active():
            committing.forget_topics(shard, gone)

    async def expire_offsets(self) -> None:
        """Forget the offsets and the groups that nobody needs any more; `run` does so in time."""
        for shard in self._shards.active():
            await committing.expire(shard)

    async def hand_over(self) -> CommittedOffsets:
        """Return the durable offsets of all groups that are coordinated here, in slices.

        Raises:
            CoordinatorLoadingError: Some of them are still being read.
        """
        return await hand_over(self._shards)

    # ---- administration

    def list_groups(self, wanted: GroupFilter) -> list[GroupListing]:
        """Return the groups that this broker coordinates.

        Raises:
            CoordinatorLoadingError: Some of them are still being read.
        """
        if any(shard.state is ShardState.LOADING for shard in self._shards):
            raise CoordinatorLoadingError
        return [
            list_group(hosted.group)
            for shard in self._shards.active()
            for hosted in shard.groups.values()
            if wanted.takes(hosted.group)
        ]

    def describe(self, group_id: str) -> GroupDescription | None:
        """Return all about a group, None if there is no such group."""
        hosted = self._shards.of(group_id).groups.get(group_id)
        return None if hosted is None else describe_group(hosted.group)

    async def delete_groups(self, group_ids: Iterable[str]) -> dict[str, EverlogError | None]:
        """Remove groups; return for each what is wrong, None if it is gone for good."""
        outcomes: dict[str, EverlogError | None] = {}
        under_way: dict[str, asyncio.Future[None]] = {}
        for group_id in group_ids:
            try:
                under_way[group_id] = committing.delete_group(self._shards.of(group_id), group_id)
            except EverlogError as error:
                outcomes[group_id] = error
        for group_id, deletion in under_way.items():
            try:
                await deletion
                outcomes[group_id] = None
            except EverlogError as error:
                outcomes[group_id] = error
        return outcomes

    # ---- within

    def _member_of(self, group_id: str) -> tuple[Shard, HostedGroup]:
        shard = self._shards.of(_named(group_id))
        hosted = shard.groups.get(group_id)
        if hosted is None:
            raise UnknownMemberError
        return shard, hosted

    async def _expire_offsets(self) -> None:
        while True:
            await asyncio.sleep(self._limits.offsets_retention_check_ms / 1_000)
            await self.expire_offsets()

    async def _until_next_deadline(self) -> None:
        earliest_ms = self._timers.earliest_ms
        wait_s = None
        if earliest_ms is not None:
            wait_s = max(earliest_ms / 1_000 - self._clock.monotonic(), 0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()


def _named(group_id: str) -> str:
    if not group_id:
        raise InvalidGroupIdError
    return group_id
