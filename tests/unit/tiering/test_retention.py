"""What may go, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.offsets import Offset
from service.tiering.retention import Limits, LocalSegment, expired_before, tier_cut

NOW = 1_000_000


def segments_of(sizes: list[int], times: list[int]) -> list[LocalSegment]:
    return [
        LocalSegment(base=n * 10, end=n * 10 + 10, size=size, max_timestamp=time)
        for n, (size, time) in enumerate(zip(sizes, times, strict=True))
    ]


def before(
    segments: list[LocalSegment], limits: Limits, *, end: int = 1 << 40, active: int = 0
) -> int | None:
    size = sum(each.size for each in segments) + active
    return expired_before(segments, limits, size=size, end=Offset(end), now_ms=NOW)


def test_without_limits_everything_stays() -> None:
    assert before(segments_of([5, 5], [0, 0]), Limits(None, None)) is None


def test_by_bytes_the_oldest_go_as_long_as_enough_remains() -> None:
    segments = segments_of([5, 5, 5], [NOW] * 3)
    assert before(segments, Limits(None, 10)) == 10
    assert before(segments, Limits(None, 11)) is None
    assert before(segments, Limits(None, 0)) == 30
    assert before(segments, Limits(None, 10), active=5) == 20


def test_by_age_a_segment_goes_when_its_newest_record_is_too_old() -> None:
    segments = segments_of([5, 5, 5], [10, NOW - 101, NOW - 99])
    assert before(segments, Limits(100, None)) == 20


def test_a_young_segment_keeps_the_old_ones_behind_it() -> None:
    assert before(segments_of([5, 5], [NOW, 10]), Limits(100, None)) is None


def test_a_segment_without_timestamps_does_not_age() -> None:
    assert before(segments_of([5], [-1]), Limits(0, None)) is None


@pytest.mark.rule("TIER-11")
@given(
    sizes=st.lists(st.integers(1, 100), min_size=1, max_size=10),
    keep_bytes=st.none() | st.integers(0, 300),
    keep_ms=st.none() | st.integers(0, 100),
    end=st.integers(0, 100),
)
def test_nothing_above_the_end_of_the_tier_goes(
    sizes: list[int], keep_bytes: int | None, keep_ms: int | None, end: int
) -> None:
    segments = segments_of(sizes, [NOW - 50] * len(sizes))
    found = before(segments, Limits(keep_ms, keep_bytes), end=end)
    assert found is None or found <= end


@pytest.mark.rule("TIER-16")
def test_the_longest_retention_does_not_overflow() -> None:
    cut = tier_cut(
        Limits((1 << 63) - 1, (1 << 63) - 1), log_start=Offset(0), untiered_bytes=9, now_ms=NOW
    )
    assert cut.before_ms is not None
    assert cut.before_ms < 0
    assert before(segments_of([5], [0]), Limits((1 << 63) - 1, None)) is None


@pytest.mark.rule("TIER-14")
def test_bytes_that_are_not_tiered_yet_count_once() -> None:
    cut = tier_cut(Limits(None, 100), log_start=Offset(7), untiered_bytes=30, now_ms=NOW)
    assert (cut.start, cut.before_ms, cut.data_bytes_max) == (7, None, 70)
    over = tier_cut(Limits(None, 100), log_start=Offset(7), untiered_bytes=300, now_ms=NOW)
    assert over.data_bytes_max == 0
