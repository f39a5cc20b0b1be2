import pytest

from service.app.cli.sizes import count_text, plural, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (212 << 20, "212 MiB"),
        (int(1.1 * (1 << 30)), "1.1 GiB"),
        (5000 << 50, "5000 PiB"),
    ],
)
def test_sizes_are_short_and_say_their_unit(size: int, text: str) -> None:
    assert size_text(size) == text


def test_counts_have_their_thousands_apart() -> None:
    assert count_text(48_210_114) == "48,210,114"


def test_a_count_that_is_not_known_is_a_dash() -> None:
    assert count_text(None) == "-"


def test_one_is_not_many() -> None:
    assert (plural(1, "record"), plural(1204, "record")) == ("1 record", "1,204 records")
