from service.groups.group import Group
from service.groups.hosted import HostedGroup
from service.groups.timers import Timers


class Bell:
    """Counts how often it is rung."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


def _hosted(wake_ms: int | None) -> HostedGroup:
    group = Group("group", state_changed_ms=0)
    group.wake_ms = wake_ms
    return HostedGroup(group)


def test_groups_are_looked_at_when_their_time_has_come_earliest_first() -> None:
    seen: list[HostedGroup] = []
    timers = Timers(on_earlier=Bell().ring)
    late, early, never = _hosted(20), _hosted(10), _hosted(None)
    for hosted in (late, early, never):
        timers.arm(hosted, seen.append)
    timers.act_on_due(9)
    assert seen == []
    timers.act_on_due(25)
    assert seen == [early, late]
    assert timers.earliest_ms is None


def test_only_a_new_earliest_time_rings() -> None:
    bell = Bell()
    timers = Timers(on_earlier=bell.ring)
    for wake_ms in (20, 30, 10):
        timers.arm(_hosted(wake_ms), print)
    assert bell.rung == 2
    assert timers.earliest_ms == 10


def test_a_group_that_needs_to_be_looked_at_earlier_is_looked_at_once() -> None:
    seen: list[HostedGroup] = []
    timers = Timers(on_earlier=Bell().ring)
    hosted = _hosted(20)
    timers.arm(hosted, seen.append)
    hosted.group.wake_ms = 10
    timers.arm(hosted, seen.append)
    hosted.group.wake_ms = 15
    timers.arm(hosted, seen.append)
    timers.act_on_due(30)
    assert seen == [hosted]


def test_a_group_may_be_armed_again_while_it_is_looked_at() -> None:
    timers, times = Timers(on_earlier=Bell().ring), []

    def again(hosted: HostedGroup) -> None:
        times.append(hosted.group.wake_ms)
        hosted.group.wake_ms = None if len(times) == 3 else (hosted.group.wake_ms or 0) + 5
        timers.arm(hosted, again)

    timers.arm(_hosted(5), again)
    timers.act_on_due(100)
    assert times == [5, 10, 15]
