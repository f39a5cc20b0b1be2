import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.disk_limit import (
    CRITICAL_FREE_BYTES_MAX,
    DiskLimit,
    DiskUsage,
    critical_above,
    read_disk_limit,
)

GIB = 1 << 30


def volume(total: int, *, own: int = 0, free: int = 0) -> DiskUsage:
    return DiskUsage(own=own, free=free, total=total)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("80%", DiskLimit(percent=80)),
        (" 100% ", DiskLimit(percent=100)),
        ("1048576", DiskLimit(bytes_max=1_048_576)),
        ("64MiB", DiskLimit(bytes_max=64 << 20)),
        ("2g", DiskLimit(bytes_max=2 * GIB)),
    ],
)
def test_a_share_and_a_size_are_read(text: str, limit: DiskLimit) -> None:
    assert read_disk_limit(text) == limit


@pytest.mark.parametrize(
    "text",
    ["", "80", "0%", "101%", "80 %", "-5%", "0.8", "half", "1048575", "1KiB", "5d", "9" * 5000],
)
def test_anything_else_is_no_limit(text: str) -> None:
    assert read_disk_limit(text) is None


@given(st.integers(0, 10**18), st.integers(1, 100))
def test_a_share_never_exceeds_the_volume(total: int, percent: int) -> None:
    assert 0 <= DiskLimit(percent=percent).bytes_of(volume(total)) <= total
    critical = critical_above(DiskLimit(percent=percent))
    assert 0 <= critical.bytes_of(volume(total)) <= total


def test_a_share_is_worked_out_and_a_size_is_bounded_by_the_volume() -> None:
    assert DiskLimit(percent=80).bytes_of(volume(1000)) == 800
    assert DiskLimit(bytes_max=5_000_000).bytes_of(volume(1000)) == 1000
    assert DiskLimit(bytes_max=5_000_000).bytes_of(volume(9_000_000)) == 5_000_000


def test_a_share_counts_everybodys_bytes_and_a_size_those_of_segments() -> None:
    usage = volume(10_000_000, own=2_000_000, free=4_000_000)
    assert DiskLimit(percent=80).room_in(usage) == 2_000_000
    assert DiskLimit(bytes_max=5_000_000).room_in(usage) == 3_000_000


def test_what_is_critical_lies_above_what_is_high() -> None:
    assert critical_above(DiskLimit(bytes_max=10_000_000)) == DiskLimit(bytes_max=11_000_000)
    assert critical_above(DiskLimit(percent=80)).bytes_of(volume(GIB)) == GIB * 95 // 100
    assert critical_above(DiskLimit(percent=99)).bytes_of(volume(GIB)) == GIB * 99 // 100


def test_a_large_volume_need_not_keep_a_twentieth_free() -> None:
    total = 1000 * GIB
    critical = critical_above(DiskLimit(percent=80))
    assert total - critical.bytes_of(volume(total)) == CRITICAL_FREE_BYTES_MAX
