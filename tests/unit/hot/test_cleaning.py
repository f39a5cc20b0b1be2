import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.hot.cleaning import (
    DIRTY_SEGMENTS_MAX,
    Clean,
    Cleaned,
    CleaningRules,
    DirtySegment,
    KeyOffsets,
    Wait,
    decide,
)

NOW_MS = 1_000_000


def dirty(*sizes: int, newest_ms: int = 0, first_ms: int = 0) -> list[DirtySegment]:
    return [
        DirtySegment(end=10 * (row + 1), size=size, newest_ms=newest_ms, first_append_ms=first_ms)
        for row, size in enumerate(sizes)
    ]


def decided(
    segments: list[DirtySegment],
    *,
    clean_bytes: int = 100,
    cleaned: Cleaned | None = None,
    **rules: object,
) -> Clean | Wait:
    return decide(
        CleaningRules(**rules),  # type: ignore[arg-type]
        cleaned or Cleaned(),
        clean_bytes=clean_bytes,
        dirty=segments,
        now_ms=NOW_MS,
    )


def test_a_log_is_cleaned_when_enough_of_it_is_dirty() -> None:
    assert decided(dirty(60, 39)) == Wait(None)
    assert decided(dirty(60, 40)) == Clean(20)
    assert decided([], clean_bytes=0, dirty_ratio_min=0.0) == Wait(None)


def test_many_small_segments_are_cleaned_whatever_their_share() -> None:
    assert decided(dirty(*[0] * (DIRTY_SEGMENTS_MAX - 1))) == Wait(None)
    assert decided(dirty(*[0] * DIRTY_SEGMENTS_MAX)) == Clean(10 * DIRTY_SEGMENTS_MAX)


def test_what_is_too_young_waits_for_its_time() -> None:
    old, young = dirty(500)[0], dirty(0, 500, newest_ms=NOW_MS - 5)[1]
    assert decided([old, young], lag_ms_min=10) == Clean(10)
    assert decided([young], lag_ms_min=10) == Wait(NOW_MS + 5)
    assert decided([young], lag_ms_min=5) == Clean(20)


def test_nothing_waits_for_longer_than_the_greatest_lag() -> None:
    segments = dirty(1, first_ms=NOW_MS - 5)
    assert decided(segments, lag_ms_max=6) == Wait(NOW_MS + 1)
    assert decided(segments, lag_ms_max=5) == Clean(10)


@pytest.mark.parametrize(
    ("until_ms", "expected"), [(NOW_MS, Clean(7)), (NOW_MS + 1, Wait(NOW_MS + 1))]
)
def test_a_tombstone_that_may_go_is_worth_a_cleaning(until_ms: int, expected: Clean | Wait) -> None:
    assert decided([], cleaned=Cleaned(end=7, tombstones_until=until_ms)) == expected


@given(st.lists(st.binary(max_size=40)))
def test_the_last_offset_of_each_key_is_known(keys: list[bytes]) -> None:
    offsets = KeyOffsets(len(keys), keys_max=1_000)
    for offset, key in enumerate(keys):
        offsets.note(key, offset)
    for offset, key in enumerate(keys):
        assert offsets.is_latest(key, offset) == (key not in keys[offset + 1 :])
    assert offsets.is_latest(b"never noted", 0)
    assert len(offsets) == len(set(keys))
