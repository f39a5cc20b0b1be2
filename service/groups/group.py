"""A classic consumer group: its state, and the steps from one state to the next.

The group does no I/O and has no clock. Events are functions of the modules beside this one:
`joining.join`, `syncing.sync`, `sessions.heartbeat`, `sessions.leave`, `sessions.tick`,
`outcomes.stored`, `outcomes.store_failed`. Each takes the group and the time, changes the group,
and returns the effects that its owner has to carry out. After each event the owner looks at
`Group.wake_ms` and calls `sessions.tick` at that time, or later.

A call that cannot be answered yet is known by its ticket, a number that the owner has given it. The
group answers each ticket exactly once.
"""

from dataclasses import dataclass

from everlog.model.errors import EverlogError
from everlog.model.ids import TopicName
from service.groups.calls import MemberProtocol
from service.groups.effects import Answer, Effect, JoinedMember, JoinResult, SyncResult
from service.groups.member import Member
from service.groups.members import Members
from service.groups.moment import Moment
from service.groups.state import GroupState, may_follow
from service.groups.subscription import CONSUMER_PROTOCOL_TYPE, subscribed_topics


@dataclass(slots=True)
class InitialDelay:
    """How the first rebalance of an empty group waits for more members.

    Attributes:
        delay_ms: The wait that is under way.
        remaining_ms: What may still be added to it.
        extended: Whether somebody has joined since it began.
    """

    delay_ms: int
    remaining_ms: int
    extended: bool = False


class Group:
    """One group.

    Attributes:
        generation: Counts the completed joins.
        protocol: The one that all members know and most like best; None without members.
        state_changed_ms: By the wall clock; None if it was read from an old record.
        is_stored: Whether there may be a record of it, which has to be removed with it.
        subscribed: Topics of all members; None when that cannot be told.
        join_deadline_ms: When the members that have not joined again are left behind.
        sync_deadline_ms: When the members that have not asked for their assignment are removed.
        initial_delay: Set while the first rebalance of an empty group waits.
        unsynced: Members that have not asked for their assignment in this generation.
        wake_ms: When `sessions.tick` has to be called, at the latest; None for never.
    """

    __slots__ = (
        "generation",
        "group_id",
        "initial_delay",
        "is_stored",
        "join_deadline_ms",
        "members",
        "protocol",
        "protocol_type",
        "state",
        "state_changed_ms",
        "subscribed",
        "sync_deadline_ms",
        "unsynced",
        "wake_ms",
    )

    def __init__(self, group_id: str, *, state_changed_ms: int | None) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.state_changed_ms = state_changed_ms
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol: str | None = None
        self.members = Members()
        self.is_stored = False
        self.subscribed: frozenset[TopicName] | None = None
        self.join_deadline_ms: int | None = None
        self.sync_deadline_ms: int | None = None
        self.initial_delay: InitialDelay | None = None
        self.unsynced: set[str] = set()
        self.wake_ms: int | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing would be lost with it: no member, no id given out, no record."""
        is_unused = self.generation == 0 and not self.is_stored and not self.members.pending
        return is_unused and self.state is GroupState.EMPTY

    @property
    def is_consumer(self) -> bool:
        """Whether its members speak the consumer protocol, so that their metadata can be read."""
        return self.protocol_type == CONSUMER_PROTOCOL_TYPE

    def is_subscribed(self, topic: TopicName) -> bool:
        """Return whether a member may be reading the topic; true where that cannot be told."""
        return self.is_consumer if self.subscribed is None else topic in self.subscribed

    def supports(self, protocol_type: str, protocols: tuple[MemberProtocol, ...]) -> bool:
        """Return whether a member with these protocols fits in."""
        if self.state is GroupState.EMPTY:
            return bool(protocol_type and protocols)
        return protocol_type == self.protocol_type and self.members.share(protocols)

    def enter(self, state: GroupState, now: Moment) -> None:
        """Go to another state."""
        assert may_follow(self.state, state), f"{self.state} to {state}"
        self.state = state
        self.state_changed_ms = now.wall_ms

    def begin_delete(self) -> None:
        """Refuse everything from now on: the group is empty and is being removed from the log."""
        assert self.state is GroupState.EMPTY
        self.state = GroupState.DEAD

    def cancel_delete(self) -> None:
        """Come back: it could not be removed."""
        assert self.state is GroupState.DEAD
        self.state = GroupState.EMPTY

    def begin_generation(self, now: Moment) -> None:
        """Close the list of members: they are the next generation."""
        self.generation += 1
        self.protocol = self.members.choose_protocol() if self.members else None
        self.subscribed = self.compute_subscribed()
        self.unsynced = {member.member_id for member in self.members}
        following = GroupState.COMPLETING_REBALANCE if self.members else GroupState.EMPTY
        self.enter(following, now)

    def compute_subscribed(self) -> frozenset[TopicName] | None:
        """Return the topics of all members; None when one of them cannot be read."""
        if not self.is_consumer:
            return None
        topics: set[TopicName] = set()
        for member in self.members:
            wanted = subscribed_topics(member.metadata(self.protocol))
            if wanted is None:
                return None
            topics |= wanted
        return frozenset(topics)

    def joined_members(self) -> tuple[JoinedMember, ...]:
        """Return what the leader is told of the members."""
        return tuple(
            JoinedMember(member.member_id, member.instance_id, member.metadata(self.protocol))
            for member in self.members
        )

    def join_result(self, member: Member) -> JoinResult:
        """Return what a member is told about the generation that it is part of."""
        assert self.members.leader is not None
        leads = self.members.leader == member.member_id
        return JoinResult(
            member_id=member.member_id,
            generation=self.generation,
            protocol_type=self.protocol_type,
            protocol=self.protocol,
            leader=self.members.leader,
            members=self.joined_members() if leads else (),
        )

    def sync_result(self, member: Member) -> SyncResult:
        """Return what a member is told about its assignment."""
        return SyncResult(
            protocol_type=self.protocol_type,
            protocol=self.protocol,
            assignment=member.assignment,
        )

    def answer_join(self, member: Member, result: JoinResult | EverlogError) -> list[Effect]:
        """Answer the join of a member, if one waits."""
        ticket = self.members.take_join(member)
        return [] if ticket is None else [Answer(ticket, result)]

    def answer_sync(self, member: Member, result: SyncResult | EverlogError) -> list[Effect]:
        """Answer the sync of a member, if one waits."""
        ticket = member.sync_ticket
        member.sync_ticket = None
        return [] if ticket is None else [Answer(ticket, result)]

    def dismiss(self, member: Member, error: EverlogError) -> list[Effect]:
        """Remove a member and answer its waiting calls with an error; a rebalance has to follow."""
        effects = self.answer_join(member, error) + self.answer_sync(member, error)
        self.members.remove(member)
        return effects

    def rename(self, member: Member, member_id: str) -> None:
        """Give a static member a new id; from now on the old one is fenced."""
        if member.member_id in self.unsynced:
            self.unsynced.remove(member.member_id)
            self.unsynced.add(member_id)
        self.members.rename(member, member_id)

    def expect(self, member: Member, now: Moment, timeout_ms: int | None = None) -> None:
        """Give a member until its session timeout, or another one, to be heard of again."""
        wait_ms = member.session_timeout_ms if timeout_ms is None else timeout_ms
        member.session_deadline_ms = now.monotonic_ms + wait_ms
        self.wake_by(member.session_deadline_ms)

    def wake_by(self, at_ms: int) -> None:
        """Ask to be woken at a time, or earlier."""
        if self.wake_ms is None or at_ms < self.wake_ms:
            self.wake_ms = at_ms

    def reset_wake(self) -> None:
        """Find the earliest deadline anew."""
        deadlines = [member.session_deadline_ms for member in self.members]
        deadlines += self.members.pending.values()
        deadlines += (self.join_deadline_ms, self.sync_deadline_ms)
        self.wake_ms = min((at_ms for at_ms in deadlines if at_ms is not None), default=None)
