"""What follows when a record of a group has become durable, or has not."""

from typing import assert_never

from everlog.model.errors import EverlogError
from service.groups import static_members, syncing
from service.groups.effects import (
    AssignmentStored,
    Effect,
    EmptiedStored,
    Purpose,
    ReplacementStored,
)
from service.groups.group import Group
from service.groups.limits import GroupLimits
from service.groups.moment import Moment


def stored(group: Group, purpose: Purpose, now: Moment) -> list[Effect]:
    """Go on, now that the record is durable."""
    match purpose:
        case AssignmentStored():
            return syncing.assignment_stored(group, purpose, now)
        case ReplacementStored():
            return static_members.replacement_stored(group, purpose, now)
        case EmptiedStored():
            return []
        case _:
            assert_never(purpose)


def store_failed(
    group: Group, purpose: Purpose, error: EverlogError, now: Moment, limits: GroupLimits
) -> list[Effect]:
    """Go back. Whether the record is in the log is unknown, so nothing may rest on either."""
    match purpose:
        case AssignmentStored():
            return syncing.assignment_failed(group, purpose, error, now, limits)
        case ReplacementStored():
            return static_members.replacement_failed(group, purpose, error, now)
        case EmptiedStored():
            # An older generation may come back to life after a failover; its members are gone, so
            # their sessions end and the group is empty again.
            return []
        case _:
            assert_never(purpose)
