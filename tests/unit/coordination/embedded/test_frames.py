"""What is in the files, byte by byte."""

import json
import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError, RejectedError
from service.coordination.embedded.frames import (
    NODES_PER_FRAME,
    decode_snapshot,
    decode_transactions,
    encode_frame,
    encode_snapshot,
    encode_transactions,
    split_log,
)
from service.coordination.embedded.tree import Node, Snapshot, Transaction
from service.coordination.metadata_store import Create, Delete, Set

_SOME = [
    Transaction(zxid=1, session=0, ops=()),
    Transaction(
        zxid=2,
        session=1,
        ops=(Create("/a/ü", bytes(range(256)), ephemeral=True), Set("/b", b"", 3), Delete("/c", 4)),
    ),
]


def test_the_layout_is_the_documented_one() -> None:
    payload = b'{"format":1,"transactions":[[3,2,[["c","/a","\xc3\xbf",true],["d","/b",1]]]]}'
    header = b"EvM1" + struct.pack(">II", len(payload), crc32c(payload))
    transaction = Transaction(
        zxid=3, session=2, ops=(Create("/a", b"\xff", ephemeral=True), Delete("/b", 1))
    )
    assert encode_transactions([transaction]) == header + payload


def test_transactions_come_back_as_they_were_written() -> None:
    (payload,), _ = split_log(encode_transactions(_SOME))
    assert list(decode_transactions(payload)) == _SOME


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=20), max_size=8))
def test_a_snapshot_comes_back_as_it_was_written(contents: dict[str, bytes]) -> None:
    nodes = {
        f"/{name}": Node(data, place, 2, 3, None if place % 2 else place, 5)
        for place, (name, data) in enumerate(contents.items())
    }
    snapshot = Snapshot(9, nodes)
    assert decode_snapshot(encode_snapshot(snapshot)) == snapshot


def test_a_large_snapshot_is_made_of_several_frames() -> None:
    nodes = {f"/{n}": Node(b"", 0, 1, 1, None, 0) for n in range(2 * NODES_PER_FRAME + 1)}
    content = encode_snapshot(Snapshot(1, nodes))
    assert len(split_log(content)[0]) == 1 + 3
    assert decode_snapshot(content) == Snapshot(1, nodes)


def test_a_log_cut_at_any_byte_ends_with_its_last_whole_frame() -> None:
    frames = [encode_frame(b"one"), encode_frame(b"EvM1 in here"), encode_frame(b"")]
    content = b"".join(frames)
    ends = [0, len(frames[0]), len(frames[0]) + len(frames[1]), len(content)]
    for size in range(len(content) + 1):
        payloads, end = split_log(content[:size])
        assert end == max(e for e in ends if e <= size)
        assert len(payloads) == ends.index(end)


def test_any_damage_before_a_whole_frame_is_refused() -> None:
    first, last = encode_frame(b"the first"), encode_frame(b"the last")
    for position in range(len(first)):
        content = bytearray(first + last)
        content[position] ^= 0x10
        with pytest.raises(CorruptionError, match=f"byte {len(first)}"):
            split_log(bytes(content))


def test_any_damage_to_the_last_frame_is_taken_for_an_unfinished_write() -> None:
    first, last = encode_frame(b"the first"), encode_frame(b"the last")
    for position in range(len(first), len(first + last)):
        content = bytearray(first + last)
        content[position] ^= 0x10
        assert split_log(bytes(content)) == ([b"the first"], len(first))


def test_a_tail_of_zeros_is_an_unfinished_write() -> None:
    first = encode_frame(b"the first")
    assert split_log(first + bytes(5000)) == ([b"the first"], len(first))


@pytest.mark.parametrize("cut", [1, 100])
def test_a_snapshot_that_is_cut_short_is_refused(cut: int) -> None:
    nodes = {f"/{n}": Node(b"", 0, 1, 1, None, 0) for n in range(600)}
    content = encode_snapshot(Snapshot(1, nodes))
    with pytest.raises(CorruptionError):
        decode_snapshot(content[:-cut])
    with pytest.raises(CorruptionError):
        decode_snapshot(b"")


def test_a_snapshot_without_its_last_frame_is_refused() -> None:
    nodes = {f"/{n}": Node(b"", 0, 1, 1, None, 0) for n in range(NODES_PER_FRAME + 1)}
    payloads, _ = split_log(encode_snapshot(Snapshot(1, nodes)))
    with pytest.raises(CorruptionError, match="instead of"):
        decode_snapshot(b"".join(map(encode_frame, payloads[:-1])))


def test_a_newer_format_is_refused_with_advice() -> None:
    newer = json.dumps({"format": 2, "transactions": []}).encode()
    with pytest.raises(RejectedError, match="newer"):
        list(decode_transactions(newer))
