"""What goes into the next object: pure, so every case is tried."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.offsets import Offset
from service.tiering.planner import (
    Cut,
    MissingRecordsError,
    SealedFile,
    UploadPlan,
    plan_next,
)

Layout = list[list[tuple[int, int]]]
"""Files of batches of (records, bytes)."""


def files_of(layout: Layout, *, every_cut: bool = True) -> list[SealedFile]:
    made: list[SealedFile] = []
    offset = 0
    for number, batches in enumerate(layout):
        base, position, cuts = offset, 0, []
        for records, size in batches:
            if position and every_cut:
                cuts.append(Cut(offset, position))
            offset += records
            position += size
        made.append(
            SealedFile(
                path=f"{number}.log",
                base=base,
                end=offset,
                size=position,
                producers_before=f"{number}.producers",
                producers_after=f"{number + 1}.producers",
                cuts=tuple(cuts),
            )
        )
    return made


def plans_of(
    layout: Layout, *, object_bytes: int, committed: int | None = None
) -> list[UploadPlan]:
    files = files_of(layout)
    end = files[-1].end if committed is None else committed
    plans: list[UploadPlan] = []
    start = Offset(0)
    while plan := plan_next(start, files, committed=Offset(end), object_bytes=object_bytes):
        plans.append(plan)
        start = plan.offsets.end
    return plans


layouts = st.lists(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 40)), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-15")
@given(layout=layouts, object_bytes=st.integers(1, 200))
def test_plans_cover_every_byte_and_offset_once_and_in_order(
    layout: Layout, object_bytes: int
) -> None:
    plans = plans_of(layout, object_bytes=object_bytes)
    assert plans[0].offsets.start == 0
    for before, after in itertools.pairwise(plans):
        assert before.offsets.end == after.offsets.start
    covered = [(each.path, each.position, each.length) for plan in plans for each in plan.ranges]
    at: dict[str, int] = {}
    for path, position, length in covered:
        assert position == at.get(path, 0)
        assert length > 0
        at[path] = position + length
    sizes = {f"{n}.log": sum(size for _, size in file) for n, file in enumerate(layout)}
    assert at == sizes


@given(layout=layouts, object_bytes=st.integers(1, 200))
def test_an_object_is_larger_than_asked_only_where_one_batch_is(
    layout: Layout, object_bytes: int
) -> None:
    largest = max(size for file in layout for _, size in file)
    for plan in plans_of(layout, object_bytes=object_bytes):
        assert plan.data_bytes <= max(object_bytes, largest)


@given(layout=layouts, object_bytes=st.integers(1, 200), committed=st.integers(0, 100))
def test_nothing_that_is_not_committed_is_planned(
    layout: Layout, object_bytes: int, committed: int
) -> None:
    for plan in plans_of(layout, object_bytes=object_bytes, committed=committed):
        assert plan.offsets.end <= committed


def test_small_segments_that_are_there_share_an_object() -> None:
    layout = [[(10, 8)] for _ in range(10)]
    assert [len(plan.ranges) for plan in plans_of(layout, object_bytes=64)] == [8, 2]


def test_a_large_segment_is_divided_on_batch_boundaries() -> None:
    layout = [[(1, 10)] * 10]
    plans = plans_of(layout, object_bytes=35)
    assert [plan.data_bytes for plan in plans] == [30, 30, 30, 10]


def test_the_producer_states_are_never_those_beyond_the_object() -> None:
    plans = plans_of([[(1, 10)] * 4, [(1, 10)]], object_bytes=20)
    assert [plan.producers_path for plan in plans] == [
        "0.producers",
        "1.producers",
        "2.producers",
    ]


def test_a_hole_between_the_tiers_is_never_passed_over() -> None:
    files = files_of([[(5, 10)], [(5, 10)]])[1:]
    with pytest.raises(MissingRecordsError) as caught:
        plan_next(Offset(3), files, committed=Offset(10), object_bytes=64)
    assert (caught.value.tiered_end, caught.value.local_start) == (3, 5)


def test_a_place_in_the_middle_of_a_file_must_be_known() -> None:
    files = files_of([[(5, 10), (5, 10)]], every_cut=False)
    with pytest.raises(MissingRecordsError):
        plan_next(Offset(5), files, committed=Offset(10), object_bytes=64)
