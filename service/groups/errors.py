"""What can be wrong with a call to a group. Each class has one code on the wire.

```
RejectedError
├── InvalidGroupIdError         ├── GroupNotFoundError
├── InvalidSessionTimeoutError  ├── GroupNotEmptyError
├── InvalidMemberError          ├── SubscribedTopicError
├── InconsistentProtocolError   ├── OffsetMetadataTooLargeError
├── GroupFullError              ├── InvalidOffsetError
├── UnknownMemberError          └── GroupTooLargeError
└── MemberIdRequiredError
FencedError                     RetriableError
├── FencedInstanceError         ├── RebalanceInProgressError
├── IllegalGenerationError      ├── CoordinatorLoadingError
└── NotCoordinatorError         └── CoordinatorUnavailableError
```
"""

from everlog.model.errors import FencedError, RejectedError, RetriableError


class InvalidGroupIdError(RejectedError):
    """The group has no name, or one that cannot be stored."""

    def __init__(self) -> None:
        super().__init__("a group id has 1 to 8191 characters")


class InvalidSessionTimeoutError(RejectedError):
    """The session is shorter or longer than the broker allows."""

    def __init__(self, session_timeout_ms: int) -> None:
        super().__init__(f"a session of {session_timeout_ms} ms is not allowed here")


class InvalidMemberError(RejectedError):
    """A member describes itself in a way that cannot be stored."""


class InconsistentProtocolError(RejectedError):
    """The member shares no protocol with the group, or names another type than the group has."""

    def __init__(self) -> None:
        super().__init__("no protocol is common to the group and this member")


class GroupFullError(RejectedError):
    """The group has all the members that it may have."""

    def __init__(self) -> None:
        super().__init__("the group has as many members as group.max.size allows")


class UnknownMemberError(RejectedError):
    """The group has no such member; whoever asks has to join again as a new one."""

    def __init__(self) -> None:
        super().__init__("the group has no such member")


class MemberIdRequiredError(RejectedError):
    """A new member got its id and has to join again with it (KIP-394)."""

    def __init__(self, member_id: str) -> None:
        super().__init__("join again with this member id")
        self.member_id = member_id


class FencedInstanceError(FencedError):
    """Another process has taken over this static member (KIP-345)."""

    def __init__(self) -> None:
        super().__init__("another member uses this group.instance.id")


class IllegalGenerationError(FencedError):
    """The call belongs to another generation of the group."""

    def __init__(self) -> None:
        super().__init__("the group is in another generation")


class RebalanceInProgressError(RetriableError):
    """The group is rebalancing; the member has to join again."""

    def __init__(self) -> None:
        super().__init__("the group is rebalancing")


class GroupNotFoundError(RejectedError):
    """There is no such group."""

    def __init__(self, group_id: str) -> None:
        super().__init__(f"group {group_id} not found")


class GroupNotEmptyError(RejectedError):
    """The group has members."""

    def __init__(self) -> None:
        super().__init__("the group has members")


class SubscribedTopicError(RejectedError):
    """The group is subscribed to the topic, so its offsets there cannot be deleted."""

    def __init__(self) -> None:
        super().__init__("the group is subscribed to this topic")


class OffsetMetadataTooLargeError(RejectedError):
    """The note that comes with a committed offset is too long."""

    def __init__(self, chars_max: int) -> None:
        super().__init__(f"metadata of an offset has at most {chars_max} characters")


class InvalidOffsetError(RejectedError):
    """A negative offset cannot be committed."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} is no offset")


class GroupTooLargeError(RejectedError):
    """What has to be stored for the group does not fit into one record."""

    def __init__(self) -> None:
        super().__init__("the state of this group does not fit into one record")


class NotCoordinatorError(FencedError):
    """This broker does not lead the partition that the group is in."""

    def __init__(self) -> None:
        super().__init__("this broker does not coordinate the group")


class CoordinatorLoadingError(RetriableError):
    """This broker has become the coordinator and is still reading the state of its groups."""

    def __init__(self) -> None:
        super().__init__("the coordinator is loading")


class CoordinatorUnavailableError(RetriableError):
    """The state of the group cannot be written or read just now."""

    def __init__(self, reason: str = "the coordinator is not available") -> None:
        super().__init__(reason)
