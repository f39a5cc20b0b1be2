import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.disk_limit import DiskLimit, read_disk_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("80%", DiskLimit(percent=80)),
        (" 100% ", DiskLimit(percent=100)),
        ("1048576", DiskLimit(bytes_max=1_048_576)),
    ],
)
def test_a_share_and_a_size_are_read(text: str, limit: DiskLimit) -> None:
    assert read_disk_limit(text) == limit


@pytest.mark.parametrize("text", ["", "80", "0%", "101%", "80 %", "-5%", "0.8", "half", "1048575"])
def test_anything_else_is_no_limit(text: str) -> None:
    assert read_disk_limit(text) is None


@given(st.integers(0, 10**18), st.integers(1, 100))
def test_a_share_never_exceeds_the_volume(total: int, percent: int) -> None:
    assert 0 <= DiskLimit(percent=percent).bytes_of(total) <= total


def test_a_share_is_worked_out_and_a_size_is_bounded_by_the_volume() -> None:
    assert DiskLimit(percent=80).bytes_of(1000) == 800
    assert DiskLimit(bytes_max=5_000_000).bytes_of(1000) == 1000
    assert DiskLimit(bytes_max=5_000_000).bytes_of(9_000_000) == 5_000_000
