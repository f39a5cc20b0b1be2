"""Frames and values, and bytes that lie about both."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.coordination.embedded.wire import jute
from service.coordination.embedded.wire.jute import FrameBuffer, ProtocolError, Reader


@given(st.lists(st.binary(max_size=20)), st.data())
def test_frames_are_found_however_they_arrive(contents: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(jute.frame, contents))
    frames = FrameBuffer(frame_bytes_max=20)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        frames.feed(stream[:size])
        stream = stream[size:]
        while (content := frames.next()) is not None:
            found.append(content)
    assert found == contents


def test_a_frame_may_be_as_large_as_the_limit_and_no_larger() -> None:
    frames = FrameBuffer(frame_bytes_max=20)
    frames.feed(jute.frame(bytes(20)))
    assert frames.next() == bytes(20)
    frames.feed(struct.pack(">i", 21))
    with pytest.raises(ProtocolError, match="21 bytes; 20 are allowed"):
        frames.next()


def test_a_frame_has_no_negative_length() -> None:
    frames = FrameBuffer(frame_bytes_max=20)
    frames.feed(b"\xff\xff\xff\xfe")
    with pytest.raises(ProtocolError, match="-2 bytes"):
        frames.next()


@given(st.text(), st.binary())
def test_strings_and_buffers_are_read_as_they_were_written(text: str, content: bytes) -> None:
    reader = Reader(jute.string(text) + jute.buffer(content))
    assert (reader.string(), reader.buffer()) == (text, content)
    reader.finish()


def test_a_missing_string_or_buffer_is_an_empty_one() -> None:
    reader = Reader(b"\xff\xff\xff\xff" * 2)
    assert (reader.string(), reader.buffer()) == ("", b"")


def test_numbers_have_a_sign_and_any_byte_but_zero_is_true() -> None:
    reader = Reader(struct.pack(">iqbbb", -7, -(1 << 40), 0, 1, -1))
    assert (reader.int32(), reader.int64()) == (-7, -(1 << 40))
    assert (reader.flag(), reader.flag(), reader.flag()) == (False, True, True)


@pytest.mark.parametrize("length", [5, 1 << 30, -2, -(1 << 31)])
def test_a_length_that_lies_is_found_out_before_anything_is_made_of_it(length: int) -> None:
    with pytest.raises(ProtocolError):
        Reader(struct.pack(">i", length) + b"four").buffer()


def test_a_string_has_to_be_utf_8() -> None:
    with pytest.raises(ProtocolError, match="UTF-8"):
        Reader(jute.buffer(b"\xff\xfe")).string()


def test_nothing_may_be_left_at_the_end() -> None:
    reader = Reader(bytes(5))
    reader.int32()
    with pytest.raises(ProtocolError, match="1 bytes too many"):
        reader.finish()
