"""Who may commit offsets, which offsets, and which may be deleted."""

from everlog.model.errors import RejectedError
from everlog.model.ids import TopicName
from service.groups.calls import Claim
from service.groups.errors import (
    CoordinatorUnavailableError,
    GroupNotEmptyError,
    GroupNotFoundError,
    IllegalGenerationError,
    InvalidOffsetError,
    OffsetMetadataTooLargeError,
    RebalanceInProgressError,
    SubscribedTopicError,
    UnknownMemberError,
)
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.moment import Moment
from service.groups.offset_record import CommittedOffset
from service.groups.state import GroupState


def admit_commit(group: Group, claim: Claim, generation: int | None, now: Moment) -> None:
    """Check that the caller may commit; a commit counts as a heartbeat.

    Without a generation it comes from somebody who does not take part in groups: an administrator,
    or a consumer that assigns its partitions itself. That is fine while the group has no members.

    Raises:
        CoordinatorUnavailableError: The group is being deleted.
        UnknownMemberError: The caller is no member.
        FencedInstanceError: A newer member has its instance id.
        IllegalGenerationError: The caller is of another generation.
        RebalanceInProgressError: The caller has to ask for its assignment first.
    """
    if group.state is GroupState.DEAD:
        raise CoordinatorUnavailableError
    if generation is None and group.state is GroupState.EMPTY:
        return
    if generation is None and not claim.member_id and claim.instance_id is None:
        raise UnknownMemberError
    member = group.members.identify(claim)
    if generation != group.generation:
        raise IllegalGenerationError
    if group.state is GroupState.COMPLETING_REBALANCE:
        raise RebalanceInProgressError
    group.expect(member, now)


def refuse_offset(committed: CommittedOffset, limits: GroupLimits) -> RejectedError | None:
    """Return what is wrong with an offset; None if it can be committed."""
    if committed.offset < 0:
        return InvalidOffsetError(committed.offset)
    if len(committed.metadata) > limits.offset_metadata_chars_max:
        return OffsetMetadataTooLargeError(limits.offset_metadata_chars_max)
    return None


def admit_offset_delete(group: Group) -> None:
    """Check that offsets of a group may be deleted at all.

    Raises:
        GroupNotFoundError: The group is being deleted.
        GroupNotEmptyError: It has members, and what they are reading cannot be told.
    """
    if group.state is GroupState.DEAD:
        raise GroupNotFoundError(group.group_id)
    if group.state is not GroupState.EMPTY and not group.is_consumer:
        raise GroupNotEmptyError


def refuse_topic_delete(group: Group, topic: TopicName) -> SubscribedTopicError | None:
    """Return an error if the offsets in a topic are in use."""
    return SubscribedTopicError() if group.is_subscribed(topic) else None


def admit_group_delete(group: Group) -> None:
    """Check that a group may be deleted.

    Raises:
        GroupNotFoundError: It is being deleted already.
        GroupNotEmptyError: It has members.
    """
    if group.state is GroupState.DEAD:
        raise GroupNotFoundError(group.group_id)
    if group.state is not GroupState.EMPTY:
        raise GroupNotEmptyError
