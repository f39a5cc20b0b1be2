"""One partition of the offsets topic in one term of its leader: the groups in it, and who waits."""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from itertools import count
from typing import Any, assert_never

import structlog

from everlog.model.clock import Clock
from everlog.model.errors import EverlogError, FencedError, RejectedError
from everlog.model.offsets import LeaderEpoch
from service.groups import outcomes, rebalance, sessions
from service.groups.effects import Answer, Effect, Persist, Purpose
from service.groups.errors import (
    CoordinatorUnavailableError,
    GroupTooLargeError,
    NotCoordinatorError,
)
from service.groups.group import Group
from service.groups.group_record import encode_group_key, encode_group_value
from service.groups.hosted import HostedGroup
from service.groups.limits import GroupLimits
from service.groups.moment import Moment
from service.groups.ports import OffsetsLog, OffsetsRecord
from service.groups.state import GroupState
from service.groups.timers import Timers

_log = structlog.get_logger(__name__)


class ShardState(Enum):
    """How far a broker is with a partition that it leads."""

    LOADING = auto()
    ACTIVE = auto()
    FAILED = auto()
    CLOSED = auto()


class Shard:
    """The groups of one partition. It ends with the term; the next term begins with another one.

    Attributes:
        groups: By id. Nothing outside the shard keeps a group over an ``await``.
    """

    def __init__(
        self,
        partition: int,
        leader_epoch: LeaderEpoch,
        *,
        log: OffsetsLog,
        clock: Clock,
        limits: GroupLimits,
        timers: Timers,
    ) -> None:
        self.partition = partition
        self.leader_epoch = leader_epoch
        self.state = ShardState.LOADING
        self.groups: dict[str, HostedGroup] = {}
        self.limits = limits
        self._log = log
        self._clock = clock
        self._timers = timers
        self._tickets = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    @property
    def is_active(self) -> bool:
        """Whether it is loaded and this broker still leads it, as far as is known."""
        return self.state is ShardState.ACTIVE

    @property
    def waiting_calls(self) -> int:
        """How many calls wait for their answer."""
        return len(self._waiting)

    def now(self) -> Moment:
        """Return the time."""
        return Moment(int(self._clock.monotonic() * 1_000), self._clock.wall_ms())

    def activate(self, groups: dict[str, HostedGroup]) -> None:
        """Begin to serve the groups that were read from the log."""
        assert self.state is ShardState.LOADING
        self.state = ShardState.ACTIVE
        self.groups = groups
        now = self.now()
        for hosted in list(groups.values()):
            effects: list[Effect] = []
            if len(hosted.group.members) > self.limits.group_size_max:
                # The limit was lowered; members that join again late find no room (KIP-389).
                effects = rebalance.prepare(hosted.group, now, self.limits)
            self.apply(hosted, effects)

    def fail(self) -> None:
        """Refuse every call of this term: the log cannot be read."""
        self.state = ShardState.FAILED

    def close(self) -> None:
        """End with the term: whoever waits has to look for the next coordinator."""
        self.state = ShardState.CLOSED
        self.groups = {}
        for ticket in list(self._waiting):
            self.answer(ticket, NotCoordinatorError())

    def host(self, group_id: str) -> HostedGroup:
        """Return a group; a new one if there is none of that name."""
        hosted = self.groups.get(group_id)
        if hosted is None:
            hosted = HostedGroup(Group(group_id, state_changed_ms=self._clock.wall_ms()))
            self.groups[group_id] = hosted
        return hosted

    def owns(self, hosted: HostedGroup) -> bool:
        """Return whether this group is still the one of its name."""
        return self.groups.get(hosted.group.group_id) is hosted

    def drop_blank(self, hosted: HostedGroup) -> None:
        """Forget a group that nobody would miss."""
        group = hosted.group
        if group.is_blank and hosted.offsets.is_empty and self.owns(hosted):
            del self.groups[group.group_id]

    def open_ticket(self) -> tuple[int, "asyncio.Future[Any]"]:
        """Return a new ticket and the answer to wait for."""
        ticket = next(self._tickets)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = answer
        return ticket, answer

    def answer(self, ticket: int, result: object) -> None:
        """Answer a call; an error is raised where it waits. Nobody may be waiting any more."""
        waiting = self._waiting.pop(ticket, None)
        if waiting is None or waiting.done():
            return
        if isinstance(result, EverlogError):
            waiting.set_exception(result)
        else:
            waiting.set_result(result)

    def apply(self, hosted: HostedGroup, effects: Sequence[Effect]) -> None:
        """Do what an event of a group asks for, and see to its deadlines."""
        for effect in effects:
            match effect:
                case Answer():
                    self.answer(effect.ticket, effect.result)
                case Persist():
                    self._persist(hosted, effect)
                case _:
                    assert_never(effect)
        self._log_state(hosted)
        self.arm(hosted)
        self.drop_blank(hosted)

    def arm(self, hosted: HostedGroup) -> None:
        """See to the deadlines of a group."""
        self._timers.arm(hosted, self.tick)

    def tick(self, hosted: HostedGroup) -> None:
        """Act on the deadlines of a group."""
        if self.is_active and self.owns(hosted):
            self.apply(hosted, sessions.tick(hosted.group, self.now(), self.limits))

    def append(
        self, records: Sequence[OffsetsRecord], done: Callable[[EverlogError | None], None]
    ) -> None:
        """Write records; call ``done`` with the outcome, unless the term has ended by then."""
        future = self._log.append(
            self.partition,
            records,
            leader_epoch=self.leader_epoch,
            timeout_ms=self.limits.append_timeout_ms,
        )
        future.add_done_callback(partial(self._appended, done))

    def _appended(
        self, done: Callable[[EverlogError | None], None], future: "asyncio.Future[None]"
    ) -> None:
        error = self._append_error(future)
        if self.is_active:
            done(error)

    def _append_error(self, future: "asyncio.Future[None]") -> EverlogError | None:
        cause = asyncio.CancelledError() if future.cancelled() else future.exception()
        if cause is None:
            return None
        if isinstance(cause, FencedError):
            return NotCoordinatorError()
        if isinstance(cause, RejectedError):
            return GroupTooLargeError()
        return CoordinatorUnavailableError(f"the offsets topic cannot be written: {cause}")

    def _persist(self, hosted: HostedGroup, effect: Persist) -> None:
        # The outcome may stay unknown, so from now on there may be a record to be removed.
        hosted.group.is_stored = True
        key = encode_group_key(hosted.group.group_id)
        value = encode_group_value(effect.stored)
        self.append([(key, value)], partial(self._persisted, hosted, effect.purpose))

    def _persisted(self, hosted: HostedGroup, purpose: Purpose, error: EverlogError | None) -> None:
        now = self.now()
        group = hosted.group
        if error is None:
            self.apply(hosted, outcomes.stored(group, purpose, now))
        else:
            _log.warning("group_not_stored", group=group.group_id, reason=str(error))
            self.apply(hosted, outcomes.store_failed(group, purpose, error, now, self.limits))

    def _log_state(self, hosted: HostedGroup) -> None:
        group = hosted.group
        if group.state is hosted.logged_state:
            return
        hosted.logged_state = group.state
        if group.state is not GroupState.COMPLETING_REBALANCE:
            _log.info(
                "group_state",
                group=group.group_id,
                state=group.state.value,
                generation=group.generation,
                members=len(group.members),
            )
