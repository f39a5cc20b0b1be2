"""Cutting frames out of a stream."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.protocol.frame_memory import FrameMemory
from service.protocol.framing import (
    FRAME_BYTES_MAX,
    LENT_MEMORY_BYTES_MIN,
    OWN_MEMORY_BYTES_MIN,
    FrameReceiver,
    FrameTooLargeError,
)
from tests.examples import TIMES

STAGING = 16 * 1024


def received(receiver: FrameReceiver, data: bytes, cuts: list[int]) -> list[bytes]:
    """Let data arrive in pieces that end at the cuts, or where the buffer is full."""
    frames: list[bytes] = []
    position = 0
    for end in [*sorted({each for each in cuts if each < len(data)}), len(data)]:
        while position < end:
            room = receiver.buffer()
            size = min(len(room), end - position)
            assert size > 0
            room[:size] = data[position : position + size]
            frames += [bytes(frame) for frame in receiver.received(size)]
            position += size
    return frames


def stream_of(bodies: list[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


_small = st.binary(min_size=1, max_size=50)
_large = st.integers(OWN_MEMORY_BYTES_MIN - 3, 3 * OWN_MEMORY_BYTES_MIN).map(
    lambda size: size.to_bytes(3, "big") * (size // 3 + 1)
)


@given(st.lists(_small | _large, max_size=12), st.lists(st.integers(0, 100_000), max_size=30))
@settings(max_examples=80 * TIMES)
def test_any_split_of_the_stream_gives_the_same_frames(
    bodies: list[bytes], cuts: list[int]
) -> None:
    receiver = FrameReceiver(bytearray(STAGING), FrameMemory())
    assert received(receiver, stream_of(bodies), cuts) == bodies
    assert receiver.is_idle


@given(st.lists(_small, min_size=1, max_size=5))
@settings(max_examples=20 * TIMES)
def test_byte_by_byte_gives_the_same_frames(bodies: list[bytes]) -> None:
    data = stream_of(bodies)
    assert (
        received(FrameReceiver(bytearray(STAGING), FrameMemory()), data, list(range(len(data))))
        == bodies
    )


def test_connections_share_a_staging_area() -> None:
    staging = bytearray(STAGING)
    one, two = FrameReceiver(staging, FrameMemory()), FrameReceiver(staging, FrameMemory())
    assert received(one, stream_of([b"first"])[:6], []) == []
    assert received(two, stream_of([b"x" * 500]), []) == [b"x" * 500]
    assert received(one, stream_of([b"first"])[6:], []) == [b"first"]


def test_frames_outlive_what_comes_later() -> None:
    staging = bytearray(STAGING)
    receiver = FrameReceiver(staging, FrameMemory())
    data = stream_of([b"kept"])
    receiver.buffer()[: len(data)] = data
    (kept,) = receiver.received(len(data))
    received(receiver, stream_of([b"y" * 9000] * 3), [])
    assert bytes(kept) == b"kept"
    kept[0] = 0  # the log stamps offsets into it


def test_a_frame_in_lent_memory_is_like_any_other() -> None:
    body = bytes(range(256)) * (LENT_MEMORY_BYTES_MIN // 256 + 1)
    receiver = FrameReceiver(bytearray(STAGING), FrameMemory())
    assert received(receiver, stream_of([b"a", body, b"b"]), [3, 100_000]) == [b"a", body, b"b"]


@pytest.mark.parametrize("size", [0, -1, -(2**31), FRAME_BYTES_MAX + 1, 2**31 - 1])
def test_a_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(FrameTooLargeError) as error:
        received(FrameReceiver(bytearray(STAGING), FrameMemory()), struct.pack(">i", size), [])
    assert error.value.size == size


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"GET / HTTP/1.1\r\n", "HTTP"), (b"\x16\x03\x01\x02\x00\x01", "TLS")],
)
def test_other_protocols_are_recognised(data: bytes, hint: str) -> None:
    with pytest.raises(FrameTooLargeError, match=hint):
        received(FrameReceiver(bytearray(STAGING), FrameMemory()), data, [])


def test_the_limit_is_the_listeners_own() -> None:
    receiver = FrameReceiver(bytearray(STAGING), FrameMemory(), frame_bytes_max=100)
    with pytest.raises(FrameTooLargeError):
        received(receiver, stream_of([b"x" * 101]), [])
