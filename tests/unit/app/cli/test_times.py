import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.cli.times import duration_ms, duration_text, instant_ms, instant_text

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-01", 1_704_067_200_000),
        ("2024-01-01T12:30:00", 1_704_112_200_000),
        ("2024-01-01T12:30:00+02:00", 1_704_105_000_000),
        ("2024-01-01T12:30:00Z", 1_704_112_200_000),
        ("-3h", NOW_MS - 3 * HOUR_MS),
        ("-1d12h", NOW_MS - 36 * HOUR_MS),
        ("1704067200123", 1_704_067_200_123),
        ("yesterday", None),
        ("-3", None),
        ("3h", None),
        ("", None),
    ],
)
def test_times_are_dates_or_ages(text: str, expected: int | None) -> None:
    assert instant_ms(text, now_ms=NOW_MS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90_000), ("250ms", 250), ("1w", 604_800_000), ("1h 3m", None), ("h", None)],
)
def test_durations_are_numbers_with_units(text: str, expected: int | None) -> None:
    assert duration_ms(text) == expected


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-1, "for ever"),
        (86_400_000, "1 day"),
        (604_800_000, "7 days"),
        (5_400_000, "90 minutes"),
        (1500, "1,500 ms"),
        (0, "0 ms"),
    ],
)
def test_durations_are_written_in_whole_units(milliseconds: int, text: str) -> None:
    assert duration_text(milliseconds) == text


def test_a_time_is_written_to_the_second_in_utc() -> None:
    assert instant_text(1_704_112_200_999) == "2024-01-01 12:30:00"


@given(st.one_of(st.none(), st.integers()))
def test_any_timestamp_can_be_written(timestamp_ms: int | None) -> None:
    assert instant_text(timestamp_ms)
