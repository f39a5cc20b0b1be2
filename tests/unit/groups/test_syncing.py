import pytest

from service.groups.effects import AssignmentStored
from service.groups.errors import (
    CoordinatorUnavailableError,
    IllegalGenerationError,
    InconsistentProtocolError,
    RebalanceInProgressError,
    UnknownMemberError,
)
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, SESSION_MS, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def pair(stage: Stage) -> tuple[str, str]:
    """Two members of a generation that has no assignment yet; the first one leads."""
    tickets = [stage.join(), stage.join()]
    stage.pass_ms(2 * DELAY_MS)
    leader, follower = (stage.joined(ticket).member_id for ticket in tickets)
    return leader, follower


def test_a_follower_waits_for_the_leader(stage: Stage, pair: tuple[str, str]) -> None:
    leader, follower = pair
    waiting = stage.sync(follower)
    assert stage.waits(waiting)
    stage.sync(leader, {leader: b"L", follower: b"F"})
    stage.store()
    result = stage.synced(waiting)
    assert (result.assignment, result.protocol, result.protocol_type) == (b"F", "range", "consumer")


def test_an_assignment_is_durable_before_anybody_hears_of_it(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    tickets = [stage.sync(follower), stage.sync(leader, {leader: b"L", follower: b"F"})]
    assert all(map(stage.waits, tickets))
    (persist,) = stage.persists
    assert isinstance(persist.purpose, AssignmentStored)
    assert {each.member_id: each.assignment for each in persist.stored.members} == {
        leader: b"L",
        follower: b"F",
    }
    assert stage.state is GroupState.COMPLETING_REBALANCE
    stage.store()
    assert stage.state is GroupState.STABLE
    assert [stage.synced(ticket).assignment for ticket in tickets] == [b"F", b"L"]


def test_a_member_that_the_leader_forgot_gets_an_empty_assignment(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    waiting = stage.sync(follower)
    stage.sync(leader, {leader: b"L", "stranger": b"S"})
    assert [each.assignment for each in stage.persists[0].stored.members] == [b"L", b""]
    stage.store()
    assert stage.synced(waiting).assignment == b""


def test_a_late_follower_of_a_stable_group_is_answered_at_once(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    stage.sync(leader, {leader: b"L", follower: b"F"})
    stage.store()
    assert stage.synced(stage.sync(follower)).assignment == b"F"
    assert stage.group.unsynced == set()


def test_an_assignment_that_cannot_be_stored_begins_a_new_rebalance(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    tickets = [stage.sync(follower), stage.sync(leader, {leader: b"L"})]
    error = CoordinatorUnavailableError()
    stage.fail_to_store(error)
    assert [stage.answers[ticket] for ticket in tickets] == [error, error]
    assert stage.state is GroupState.PREPARING_REBALANCE


def test_an_assignment_that_a_rebalance_has_overtaken_is_dropped(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    ticket = stage.sync(leader, {leader: b"L", follower: b"F"})
    stage.join()
    assert isinstance(stage.answers[ticket], RebalanceInProgressError)
    stage.store()
    assert stage.state is GroupState.PREPARING_REBALANCE
    stage.join(leader)
    stage.join(follower)
    assert stage.group.generation == 2
    assert all(member.assignment == b"" for member in stage.group.members)


def test_a_failure_of_an_overtaken_assignment_changes_nothing(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, follower = pair
    stage.sync(leader, {leader: b"L", follower: b"F"})
    stage.join()
    stage.join(leader)
    stage.join(follower)
    stage.fail_to_store(CoordinatorUnavailableError())
    assert stage.state is GroupState.COMPLETING_REBALANCE


def test_the_first_of_two_assignments_of_a_leader_counts(
    stage: Stage, pair: tuple[str, str]
) -> None:
    leader, _ = pair
    first, second = stage.sync(leader, {leader: b"1"}), stage.sync(leader, {leader: b"2"})
    assert isinstance(stage.answers[first], RebalanceInProgressError)
    stage.store()
    assert stage.synced(second).assignment == b"1"
    stage.store()
    assert stage.group.members.get(leader).assignment == b"1"  # type: ignore[union-attr]


def test_a_sync_in_a_rebalance_has_to_join_again(stage: Stage, pair: tuple[str, str]) -> None:
    leader, follower = pair
    stage.settle()
    stage.join(leader)
    assert isinstance(stage.answers[stage.sync(follower)], RebalanceInProgressError)


@pytest.mark.rule("REL-53")
def test_a_sync_of_another_generation_is_refused(stage: Stage, pair: tuple[str, str]) -> None:
    for generation in (0, 2):
        ticket = stage.sync(pair[0], generation=generation)
        assert isinstance(stage.answers[ticket], IllegalGenerationError)


@pytest.mark.rule("REL-53")
def test_a_sync_of_an_unknown_member_is_refused(stage: Stage, pair: tuple[str, str]) -> None:
    assert isinstance(stage.answers[stage.sync("who")], UnknownMemberError)


@pytest.mark.rule("KIP-559")
@pytest.mark.parametrize(
    ("protocol_type", "protocol"), [("connect", "range"), ("consumer", "sticky")]
)
def test_a_sync_for_another_protocol_is_refused(
    stage: Stage, pair: tuple[str, str], protocol_type: str, protocol: str
) -> None:
    ticket = stage.sync(pair[0], protocol_type=protocol_type, protocol=protocol)
    assert isinstance(stage.answers[ticket], InconsistentProtocolError)


@pytest.mark.rule("KIP-559")
def test_a_sync_for_the_right_protocol_is_taken(stage: Stage, pair: tuple[str, str]) -> None:
    assert stage.waits(stage.sync(pair[0], protocol_type="consumer", protocol="range"))


def test_a_sync_of_a_group_that_is_being_deleted_has_to_come_back(stage: Stage) -> None:
    stage.group.begin_delete()
    assert isinstance(stage.answers[stage.sync("m1")], CoordinatorUnavailableError)


def test_waiting_for_the_leader_needs_no_heartbeat(stage: Stage, pair: tuple[str, str]) -> None:
    leader, follower = pair
    waiting = stage.sync(follower)
    for _ in range(3):
        stage.pass_ms(SESSION_MS - 1)
        stage.heartbeat(leader)
    assert stage.waits(waiting)
    stage.sync(leader, {follower: b"F"})
    stage.store()
    assert stage.synced(waiting).assignment == b"F"
    stage.pass_ms(SESSION_MS - 1)
    assert stage.state is GroupState.STABLE, "its session begins with the answer"
    stage.heartbeat(leader)
    stage.pass_ms(1)
    assert stage.member_ids == [leader]
