"""The conditions of KIP-211, as protocol.md §2.6 has them."""

import pytest

from everlog.model.ids import TopicName
from everlog.model.offsets import Offset
from service.groups.expiry import expired_places
from service.groups.offset_record import CommittedOffset
from service.groups.offsets import GroupOffsets, Place
from tests.unit.groups.stage import SESSION_MS, WALL_MS, Stage, protocols

pytestmark = pytest.mark.rule("KIP-211")

A, B = TopicName("a"), TopicName("b")
SUBSCRIBED_TO_A = protocols("range", metadata=b"\0\0\0\0\0\1\0\1a\xff\xff\xff\xff")


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def offsets() -> GroupOffsets:
    offsets = GroupOffsets()
    for topic in (A, B):
        offsets.put((topic, 0), CommittedOffset(offset=Offset(5), committed_ms=WALL_MS))
    return offsets


def _expired(stage: Stage, offsets: GroupOffsets, after_ms: int) -> list[Place]:
    return expired_places(stage.group, offsets, wall_ms=WALL_MS + after_ms, limits=stage.limits)


def test_offsets_of_a_group_that_never_had_members_count_from_their_commit(
    stage: Stage, offsets: GroupOffsets
) -> None:
    retention_ms = stage.limits.offsets_retention_ms
    assert _expired(stage, offsets, retention_ms - 1) == []
    assert _expired(stage, offsets, retention_ms) == [(A, 0), (B, 0)]


def test_offsets_of_a_group_that_had_members_count_from_when_it_became_empty(
    stage: Stage, offsets: GroupOffsets
) -> None:
    (member,) = stage.stable(1)
    stage.pass_ms(SESSION_MS - 1)
    stage.leave(member)
    emptied_ms = stage.now_ms
    retention_ms = stage.limits.offsets_retention_ms
    assert _expired(stage, offsets, emptied_ms + retention_ms - 1) == []
    assert len(_expired(stage, offsets, emptied_ms + retention_ms)) == 2


def test_a_stable_group_of_consumers_loses_only_what_nobody_reads(
    stage: Stage, offsets: GroupOffsets
) -> None:
    stage.stable(1, protocols=SUBSCRIBED_TO_A)
    assert _expired(stage, offsets, stage.limits.offsets_retention_ms) == [(B, 0)]


def test_a_group_of_consumers_that_cannot_be_read_loses_nothing(
    stage: Stage, offsets: GroupOffsets
) -> None:
    stage.stable(1, protocols=protocols("range", metadata=b"?"))
    assert _expired(stage, offsets, 2 * stage.limits.offsets_retention_ms) == []


def test_a_group_in_a_rebalance_loses_nothing(stage: Stage, offsets: GroupOffsets) -> None:
    (member,) = stage.stable(1, protocols=SUBSCRIBED_TO_A)
    stage.join()
    assert member in stage.member_ids
    assert _expired(stage, offsets, 2 * stage.limits.offsets_retention_ms) == []


def test_an_opaque_group_with_members_loses_nothing(stage: Stage, offsets: GroupOffsets) -> None:
    stage.stable(1, protocol_type="connect")
    assert _expired(stage, offsets, 2 * stage.limits.offsets_retention_ms) == []


def test_a_commit_that_is_being_written_keeps_its_place(
    stage: Stage, offsets: GroupOffsets
) -> None:
    offsets.started((A, 0))
    assert _expired(stage, offsets, stage.limits.offsets_retention_ms) == [(B, 0)]


def test_an_expiry_that_the_client_asked_for_replaces_the_retention(stage: Stage) -> None:
    offsets = GroupOffsets()
    offsets.put(
        (A, 0),
        CommittedOffset(offset=Offset(1), committed_ms=WALL_MS, expires_ms=WALL_MS + 1_000),
    )
    assert _expired(stage, offsets, 999) == []
    assert _expired(stage, offsets, 1_000) == [(A, 0)]


def test_a_group_that_is_being_deleted_loses_nothing_twice(
    stage: Stage, offsets: GroupOffsets
) -> None:
    stage.group.begin_delete()
    assert _expired(stage, offsets, 2 * stage.limits.offsets_retention_ms) == []
