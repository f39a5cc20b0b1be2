from everlog.model.ids import TopicName
from service.groups.calls import Claim
from service.groups.group_record import decode_group_value, encode_group_value
from service.groups.moment import Moment
from service.groups.snapshot import restore, snapshot
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, SESSION_MS, WALL_MS, Stage, protocols

LATER = Moment(500_000, WALL_MS + 500_000)
SUBSCRIBED_TO_A = protocols("range", metadata=b"\0\0\0\0\0\1\0\1a\xff\xff\xff\xff")


def _restarted(stage: Stage) -> Stage:
    """Return the stage as it is after a restart at `LATER`."""
    after = Stage(stage.limits)
    stored = decode_group_value(encode_group_value(snapshot(stage.group)))
    after.group = restore("group", stored, LATER)
    after.now_ms = LATER.monotonic_ms
    return after


def test_a_stable_group_comes_back_as_it_was() -> None:
    stage = Stage()
    tickets = [stage.join(instance_id="a"), stage.join(instance_id="b")]
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    after = _restarted(stage)
    assert (after.state, after.group.generation) == (GroupState.STABLE, 1)
    assert after.member_ids == stage.member_ids
    assert after.group.members.leader == stage.joined(tickets[0]).leader
    assert after.group.state_changed_ms == stage.group.state_changed_ms
    second = stage.joined(tickets[1]).member_id
    assert after.synced(after.sync(second, instance_id="b")).assignment == second.encode()


def test_each_member_has_a_whole_session_to_be_heard_of() -> None:
    stage = Stage()
    first, second = stage.stable()
    after = _restarted(stage)
    after.pass_ms(SESSION_MS - 1)
    after.heartbeat(first)
    after.pass_ms(1)
    assert after.member_ids == [first]
    assert second not in after.member_ids


def test_an_empty_group_comes_back_empty() -> None:
    stage = Stage()
    (member,) = stage.stable(1)
    stage.leave(member)
    after = _restarted(stage)
    assert (after.state, after.group.generation) == (GroupState.EMPTY, 2)
    assert after.group.wake_ms is None
    assert after.group.is_stored


def test_a_stored_timeout_of_nothing_does_not_make_a_group_spin() -> None:
    stage = Stage()
    for instance_id in ("a", "b"):
        stage.join(instance_id=instance_id)
    stage.pass_ms(2 * DELAY_MS)
    stage.settle()
    for member in stage.group.members:
        member.rebalance_timeout_ms = 0
    after = _restarted(stage)
    after.leave(Claim("", "b"))
    after.pass_ms(5)
    assert after.state is GroupState.PREPARING_REBALANCE
    assert after.group.wake_ms is not None
    assert after.group.wake_ms > after.now_ms


def test_the_topics_of_a_group_are_known_after_a_restart() -> None:
    stage = Stage()
    stage.stable(1, protocols=SUBSCRIBED_TO_A)
    assert _restarted(stage).group.subscribed == {TopicName("a")}


def test_a_member_that_joins_again_after_a_restart_goes_on_with_all_its_protocols() -> None:
    stage = Stage()
    (member,) = stage.stable(1, protocols=protocols("range", "sticky"))
    after = _restarted(stage)
    ticket = after.join(member, protocols=protocols("sticky", "range"))
    assert after.joined(ticket).protocol == "sticky"
    assert after.joined(ticket).generation == 2
