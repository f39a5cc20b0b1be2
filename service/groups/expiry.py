"""Which committed offsets nobody needs any more (``offsets.retention.minutes``, KIP-211).

- A group that had members: its offsets count from when it became empty.
- A stable group of consumers: only topics that no member reads, from when they were committed.
- A group that never had members: from when they were committed.
- Any other group keeps everything.

An expiry that the client asked for with the commit replaces the retention, not the conditions.
"""

from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.offset_record import CommittedOffset
from service.groups.offsets import GroupOffsets, Place
from service.groups.state import GroupState


def expired_places(
    group: Group, offsets: GroupOffsets, *, wall_ms: int, limits: GroupLimits
) -> list[Place]:
    """Return the places whose offsets may be forgotten."""
    if not _may_expire(group):
        return []
    had_members = group.state is GroupState.EMPTY and group.protocol_type is not None
    counts_from_ms = group.state_changed_ms if had_members else None
    return [
        place
        for place, committed in offsets
        if place not in offsets.in_flight
        and not group.is_subscribed(place[0])
        and _is_over(committed, counts_from_ms, wall_ms, limits.offsets_retention_ms)
    ]


def _may_expire(group: Group) -> bool:
    if group.state is GroupState.EMPTY:
        return True
    is_readable = group.is_consumer and group.subscribed is not None
    return is_readable and group.state is GroupState.STABLE


def _is_over(
    committed: CommittedOffset, counts_from_ms: int | None, wall_ms: int, retention_ms: int
) -> bool:
    if committed.expires_ms is not None:
        return wall_ms >= committed.expires_ms
    base_ms = committed.committed_ms if counts_from_ms is None else counts_from_ms
    return wall_ms - base_ms >= retention_ms
