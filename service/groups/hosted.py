"""A group with everything that its coordinator keeps for it."""

from service.groups.group import Group
from service.groups.offsets import GroupOffsets
from service.groups.state import GroupState


class HostedGroup:
    """One group on its coordinator.

    Attributes:
        scheduled_ms: When the coordinator will look at its deadlines; None if there are none.
        logged_state: The last state that was written to the event log.
    """

    __slots__ = ("group", "logged_state", "offsets", "scheduled_ms")

    def __init__(self, group: Group) -> None:
        self.group = group
        self.offsets = GroupOffsets()
        self.scheduled_ms: int | None = None
        self.logged_state: GroupState = group.state
