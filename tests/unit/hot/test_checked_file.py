import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError
from service.hot.checked_file import with_checksum, without_checksum


@given(body=st.binary(max_size=100))
def test_a_sound_file_gives_its_body_back(body: bytes) -> None:
    found = without_checksum(with_checksum(body), bytes_min=len(body), name="file f")
    assert found == body


@given(body=st.binary(max_size=100), data=st.data())
def test_damage_and_loss_are_told(body: bytes, data: st.DataObject) -> None:
    content = with_checksum(body)
    damaged = bytearray(content)
    damaged[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(damaged), content[: data.draw(st.integers(0, 3))]):
        with pytest.raises(CorruptionError, match="file f"):
            without_checksum(bad, bytes_min=0, name="file f")


def test_a_body_that_is_too_short_is_told() -> None:
    with pytest.raises(CorruptionError):
        without_checksum(with_checksum(b"abc"), bytes_min=4, name="file f")
