import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.stores.s3_checksum import checksum_in, checksum_text


@given(st.integers(0, 2**32 - 1))
def test_a_checksum_survives_the_way_there_and_back(crc: int) -> None:
    assert checksum_in({"ChecksumCRC32C": checksum_text(crc)}) == crc


def test_the_text_is_the_one_of_s3() -> None:
    # CRC32C of "123456789" is the check value of RFC 3720.
    assert checksum_text(0xE3069283) == "4waSgw=="


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ChecksumCRC32C": "4waSgw==-3"},
        {"ChecksumCRC32C": "4waSgw==", "ChecksumType": "COMPOSITE"},
    ],
)
def test_a_checksum_of_checksums_is_none(answer: dict[str, str]) -> None:
    assert checksum_in(answer) is None
