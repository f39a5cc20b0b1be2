import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.cli.offsets_text import (
    AtOffset,
    AtTime,
    Edge,
    FromEnd,
    Place,
    Stretch,
    UnreadablePlaceError,
    clamped_text,
    nothing_text,
    parse_place,
    resolve_place,
)

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("earliest", Edge.EARLIEST),
        ("beginning", Edge.EARLIEST),
        ("latest", Edge.LATEST),
        ("end", Edge.LATEST),
        ("0", AtOffset(0)),
        ("401702", AtOffset(401_702)),
        ("-100", FromEnd(100)),
        ("-0", FromEnd(0)),
        ("@2024-01-01", AtTime(1_704_067_200_000)),
        ("@-3h", AtTime(NOW_MS - 10_800_000)),
        ("@1704067200000", AtTime(1_704_067_200_000)),
    ],
)
def test_places_are_read_in_the_habits_of_rpk(text: str, place: Place) -> None:
    assert parse_place(text, now_ms=NOW_MS) == place


@pytest.mark.parametrize("text", ["", "@", "@tomorrow", "1.5", "first", "--3", "0x10"])
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(UnreadablePlaceError, match="is no place in a log"):
        parse_place(text, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("place", "at_time", "offset"),
    [
        (Edge.EARLIEST, None, 10),
        (Edge.LATEST, None, 50),
        (AtOffset(30), None, 30),
        (AtOffset(3), None, 10),
        (AtOffset(80), None, 50),
        (FromEnd(5), None, 45),
        (FromEnd(500), None, 10),
        (AtTime(0), 20, 20),
        (AtTime(0), None, 50),
    ],
)
def test_a_place_becomes_an_offset(place: Place, at_time: int | None, offset: int) -> None:
    assert resolve_place(place, start=10, end=50, at_time=at_time) == offset


@given(
    place=st.one_of(
        st.sampled_from(Edge),
        st.builds(AtOffset, st.integers(min_value=0)),
        st.builds(FromEnd, st.integers(min_value=0)),
        st.just(AtTime(0)),
    ),
    bounds=st.tuples(st.integers(0, 1 << 62), st.integers(0, 1 << 62)),
    at_time=st.one_of(st.none(), st.integers(0, 1 << 62)),
)
def test_no_place_lies_outside_the_log(
    place: Place, bounds: tuple[int, int], at_time: int | None
) -> None:
    start, end = sorted(bounds)
    assert start <= resolve_place(place, start=start, end=end, at_time=at_time) <= end


def _stretch(begin: int, stop: int, end: int) -> Stretch:
    return Stretch(begin=begin, stop=stop, start=0, end=end)


@pytest.mark.parametrize(
    ("stretches", "text"),
    [
        ([_stretch(0, 0, 0)], "t has no records"),
        ([_stretch(10, 10, 10)], "t/0 ends at 10"),
        ([_stretch(10, 10, 10), _stretch(5000, 5000, 5000)], "t/0 ends at 10, t/1 ends at 5,000"),
        (
            [_stretch(1, 1, 1)] * 6,
            "t/0 ends at 1, t/1 ends at 1, t/2 ends at 1, t/3 ends at 1 and 2 more",
        ),
        ([_stretch(7, 5, 10)], "--to is not after --from"),
    ],
)
def test_nothing_to_read_has_a_reason(stretches: list[Stretch], text: str) -> None:
    assert nothing_text("t", dict(enumerate(stretches))) == f"nothing to read: {text}"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (AtOffset(9), "9 is before the start"),
        (AtOffset(10), None),
        (AtOffset(20), None),
        (AtOffset(999_999), "999,999 is beyond the end"),
        (Edge.LATEST, None),
    ],
)
def test_an_offset_that_is_not_there_is_said_to_be_moved(place: Place, text: str | None) -> None:
    assert clamped_text(place, start=10, end=20) == text
