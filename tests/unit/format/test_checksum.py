from functools import reduce

import crc32c as reference
import pytest
from hypothesis import strategies as st

from everlog.format.checksum import crc32c, joined
from tests.unit.format.samples import given


def test_it_is_the_castagnoli_checksum() -> None:
    # RFC 3720, appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.lists(st.binary(max_size=5000), max_size=6))
def test_checksums_of_pieces_join_to_that_of_the_whole(pieces: list[bytes]) -> None:
    sums = ((reference.crc32c(piece), len(piece)) for piece in pieces)
    whole = reduce(lambda before, piece: joined(before, *piece), sums, 0)
    assert whole == reference.crc32c(b"".join(pieces))


@pytest.mark.parametrize("power", range(0, 25, 3))
@pytest.mark.parametrize("less", [0, 1])
def test_lengths_around_powers_of_two_join(power: int, less: int) -> None:
    second = bytes((1 << power) - less)
    assert joined(reference.crc32c(b"first"), reference.crc32c(second), len(second)) == (
        reference.crc32c(b"first" + second)
    )


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**50),
    st.integers(0, 2**50),
)
def test_joining_is_associative_for_objects_that_no_test_can_hold(
    a: int, b: int, c: int, b_bytes: int, c_bytes: int
) -> None:
    left = joined(joined(a, b, b_bytes), c, c_bytes)
    assert left == joined(a, joined(b, c, c_bytes), b_bytes + c_bytes)


def test_a_checksum_goes_on_from_what_came_before() -> None:
    assert crc32c(memoryview(b"xsecondx")[1:-1], crc32c(b"first")) == crc32c(b"firstsecond")
