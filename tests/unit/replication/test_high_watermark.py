"""Up to where a partition is committed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.ids import NodeId
from everlog.model.offsets import Offset
from service.replication.high_watermark import high_watermark

A, B, C = NodeId(1), NodeId(2), NodeId(3)


def ends(a: int, b: int, c: int) -> dict[NodeId, Offset]:
    return {A: Offset(a), B: Offset(b), C: Offset(c)}


@pytest.mark.rule("REL-I1")
def test_what_every_member_of_the_isr_has_is_committed() -> None:
    assert high_watermark(Offset(3), ends(9, 7, 5), isr=(A, B), isr_min=2) == 7


@pytest.mark.rule("REL-I1")
def test_proposed_members_count_beside_the_stored_ones() -> None:
    at = ends(9, 7, 5)
    assert high_watermark(Offset(0), at, isr=(A, B), pending_isr=(A, B, C), isr_min=1) == 5
    assert high_watermark(Offset(0), at, isr=(A, B, C), pending_isr=(A, B), isr_min=1) == 5


def test_it_waits_for_who_is_about_to_join() -> None:
    assert high_watermark(Offset(0), ends(9, 7, 5), isr=(A, B), joining=(C,), isr_min=1) == 5


@pytest.mark.rule("REL-I9")
def test_who_is_eligible_counts_though_it_is_not_in_sync() -> None:
    assert high_watermark(Offset(0), ends(9, 7, 5), isr=(A,), eligible=(C,), isr_min=1) == 5


@pytest.mark.rule("REL-I2")
def test_nothing_is_committed_with_too_few_in_sync() -> None:
    assert high_watermark(Offset(3), ends(9, 7, 5), isr=(A,), isr_min=2) == 3
    # A proposal does not count as long as nobody has stored it.
    assert high_watermark(Offset(3), ends(9, 7, 5), isr=(A,), pending_isr=(A, B), isr_min=2) == 3


def test_a_member_that_has_told_nothing_holds_everything_up() -> None:
    assert high_watermark(Offset(4), {A: Offset(9)}, isr=(A, B), isr_min=1) == 4


@given(
    current=st.integers(0, 20),
    at=st.tuples(*[st.integers(-1, 20)] * 3),
    isr=st.sets(st.sampled_from([A, B, C]), min_size=1),
    pending=st.sets(st.sampled_from([A, B, C])),
    isr_min=st.integers(1, 3),
)
def test_it_never_goes_back_and_never_beyond_a_member(
    current: int,
    at: tuple[int, int, int],
    isr: set[NodeId],
    pending: set[NodeId],
    isr_min: int,
) -> None:
    found = high_watermark(
        Offset(current), ends(*at), isr=isr, pending_isr=pending, isr_min=isr_min
    )
    assert found >= current
    assert found == current or all(found <= ends(*at)[each] for each in isr | pending)
