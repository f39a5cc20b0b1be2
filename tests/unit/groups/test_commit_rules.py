import pytest

from everlog.model.ids import TopicName
from everlog.model.offsets import Offset
from service.groups.calls import Claim
from service.groups.commit_rules import (
    admit_commit,
    admit_group_delete,
    admit_offset_delete,
    refuse_offset,
    refuse_topic_delete,
)
from service.groups.errors import (
    CoordinatorUnavailableError,
    FencedInstanceError,
    GroupNotEmptyError,
    GroupNotFoundError,
    IllegalGenerationError,
    InvalidOffsetError,
    OffsetMetadataTooLargeError,
    RebalanceInProgressError,
    SubscribedTopicError,
    UnknownMemberError,
)
from service.groups.limits import GroupLimits
from service.groups.offset_record import CommittedOffset
from service.groups.state import GroupState
from tests.unit.groups.stage import DELAY_MS, REBALANCE_MS, SESSION_MS, Stage, protocols

SUBSCRIBED_TO_A = protocols("range", metadata=b"\0\0\0\0\0\1\0\1a\xff\xff\xff\xff")


@pytest.fixture
def stage() -> Stage:
    return Stage()


def _commit(stage: Stage, member_id: str = "", generation: int | None = None) -> None:
    admit_commit(stage.group, Claim(member_id), generation, stage.now)


def test_a_group_without_members_takes_commits_of_anybody(stage: Stage) -> None:
    _commit(stage)
    _commit(stage, "assigns-itself")


def test_a_group_with_members_takes_commits_of_its_members_only(stage: Stage) -> None:
    (member,) = stage.stable(1)
    _commit(stage, member, 1)
    with pytest.raises(UnknownMemberError):
        _commit(stage)
    with pytest.raises(UnknownMemberError):
        _commit(stage, "who", 1)


@pytest.mark.rule("REL-53")
def test_a_commit_of_another_generation_is_refused(stage: Stage) -> None:
    (member,) = stage.stable(1)
    for generation in (None, 0, 2):
        with pytest.raises(IllegalGenerationError):
            _commit(stage, member, generation)


@pytest.mark.rule("REL-53")
def test_a_member_cannot_commit_to_a_group_that_has_become_empty(stage: Stage) -> None:
    (member,) = stage.stable(1)
    stage.leave(member)
    with pytest.raises(UnknownMemberError):
        _commit(stage, member, 1)


@pytest.mark.rule("REL-53")
def test_a_commit_of_a_replaced_static_member_is_refused(stage: Stage) -> None:
    ticket = stage.join(instance_id="a")
    stage.pass_ms(DELAY_MS)
    member = stage.joined(ticket).member_id
    stage.settle()
    stage.join(instance_id="a")
    with pytest.raises(FencedInstanceError):
        admit_commit(stage.group, Claim(member, "a"), 1, stage.now)


def test_a_member_without_an_assignment_has_to_ask_for_it_first(stage: Stage) -> None:
    ticket = stage.join()
    stage.pass_ms(DELAY_MS)
    with pytest.raises(RebalanceInProgressError):
        _commit(stage, stage.joined(ticket).member_id, 1)


def test_commits_are_taken_and_keep_the_session_in_a_rebalance(stage: Stage) -> None:
    first, second = stage.stable()
    stage.join(first)
    for _ in range(REBALANCE_MS // SESSION_MS - 1):
        stage.pass_ms(SESSION_MS - 1)
        _commit(stage, second, 1)
    assert second in stage.member_ids


def test_commits_keep_the_session_of_a_stable_member(stage: Stage) -> None:
    (member,) = stage.stable(1)
    for _ in range(5):
        stage.pass_ms(SESSION_MS - 1)
        _commit(stage, member, 1)
    assert stage.state is GroupState.STABLE


def test_a_group_that_is_being_deleted_asks_to_come_back(stage: Stage) -> None:
    stage.group.begin_delete()
    with pytest.raises(CoordinatorUnavailableError):
        _commit(stage)


@pytest.mark.rule("REL-54")
def test_an_offset_has_to_be_one(stage: Stage) -> None:
    for offset in (-5, -1):
        error = refuse_offset(CommittedOffset(offset=Offset(offset), committed_ms=0), stage.limits)
        assert isinstance(error, InvalidOffsetError)
    assert refuse_offset(CommittedOffset(offset=Offset(0), committed_ms=0), stage.limits) is None


@pytest.mark.rule("REL-54")
def test_a_note_has_at_most_4096_characters() -> None:
    def refused(metadata: str) -> object:
        offset = CommittedOffset(offset=Offset(1), metadata=metadata, committed_ms=0)
        return refuse_offset(offset, GroupLimits())

    assert refused("é" * 4_096) is None
    assert isinstance(refused("x" * 4_097), OffsetMetadataTooLargeError)
    assert isinstance(refused("x" * 1_000_000), OffsetMetadataTooLargeError)


def test_a_limit_that_could_not_be_stored_is_refused() -> None:
    with pytest.raises(ValueError, match=r"offset\.metadata\.max\.bytes"):
        GroupLimits(offset_metadata_chars_max=8_192)


def test_offsets_of_topics_that_are_being_read_cannot_be_deleted(stage: Stage) -> None:
    stage.stable(1, protocols=SUBSCRIBED_TO_A)
    admit_offset_delete(stage.group)
    assert isinstance(refuse_topic_delete(stage.group, TopicName("a")), SubscribedTopicError)
    assert refuse_topic_delete(stage.group, TopicName("b")) is None


def test_a_consumer_that_cannot_be_read_may_be_reading_anything(stage: Stage) -> None:
    stage.stable(1, protocols=protocols("range", metadata=b"?"))
    assert isinstance(refuse_topic_delete(stage.group, TopicName("b")), SubscribedTopicError)


def test_all_offsets_of_an_empty_group_can_be_deleted(stage: Stage) -> None:
    (member,) = stage.stable(1, protocols=SUBSCRIBED_TO_A)
    stage.leave(member)
    admit_offset_delete(stage.group)
    assert refuse_topic_delete(stage.group, TopicName("a")) is None


def test_no_offsets_of_an_opaque_group_with_members_can_be_deleted(stage: Stage) -> None:
    stage.stable(1, protocol_type="connect")
    with pytest.raises(GroupNotEmptyError):
        admit_offset_delete(stage.group)


def test_only_an_empty_group_can_be_deleted(stage: Stage) -> None:
    (member,) = stage.stable(1)
    with pytest.raises(GroupNotEmptyError):
        admit_group_delete(stage.group)
    stage.leave(member)
    admit_group_delete(stage.group)


def test_a_group_that_is_being_deleted_counts_as_gone(stage: Stage) -> None:
    stage.group.begin_delete()
    with pytest.raises(GroupNotFoundError):
        admit_group_delete(stage.group)
    with pytest.raises(GroupNotFoundError):
        admit_offset_delete(stage.group)
