import json
from dataclasses import replace

import crc32c
import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.manifest import append, first_root
from everlog.format.object_keys import CLAIM_MAX, EPOCH_MAX, OFFSET_MAX, VER_MAX, Stamp, Uid
from everlog.format.pointer import (
    Pointer,
    StaleEpochError,
    claimed,
    committed,
    decode_pointer,
    encode_pointer,
    pointer_to,
    unclaimed,
)
from everlog.format.root import Root, RootRef
from everlog.format.root_codec import encode_root
from everlog.model.errors import FencedError
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, damaged, entry, given, next_root, stamp, uid

LARGEST = Pointer(
    stamp=Stamp(LeaderEpoch(EPOCH_MAX), CLAIM_MAX, VER_MAX),
    root=RootRef(
        stamp=Stamp(LeaderEpoch(EPOCH_MAX), CLAIM_MAX, VER_MAX),
        uid=Uid(b"\xff" * 16),
        sha256=b"\xff" * 32,
    ),
    tiered_start=Offset(OFFSET_MAX),
    tiered_end=Offset(OFFSET_MAX),
    tiered_end_epoch=LeaderEpoch(EPOCH_MAX),
    bytes=2**63 - 1,
    max_timestamp=-(2**63),
)


@st.composite
def pointers(draw: st.DrawFn) -> Pointer:
    start = draw(st.integers(0, OFFSET_MAX))
    made = Stamp(
        LeaderEpoch(draw(st.integers(0, EPOCH_MAX))),
        draw(st.integers(0, CLAIM_MAX)),
        draw(st.integers(0, VER_MAX)),
    )
    root = None
    if made.ver:
        older = Stamp(LeaderEpoch(draw(st.integers(0, made.epoch))), 0, made.ver)
        sixteen = draw(st.binary(min_size=16, max_size=16))
        root = RootRef(stamp=older, uid=Uid(sixteen), sha256=sixteen * 2)
    return Pointer(
        stamp=made,
        root=root,
        tiered_start=Offset(start),
        tiered_end=Offset(draw(st.integers(start, OFFSET_MAX))),
        tiered_end_epoch=draw(st.none() | st.integers(0, EPOCH_MAX).map(LeaderEpoch)),
        bytes=draw(st.integers(0, 2**63 - 1)),
        max_timestamp=draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
    )


def resealed(body: bytes) -> bytes:
    return b'%s,"crc32c":"%08x"}' % (body, crc32c.crc32c(body))


def root_of(pointer: Pointer) -> Root:
    return first_root(
        PATH,
        uid=uid(1),
        stamp=replace(pointer.stamp, ver=pointer.stamp.ver + 1),
        start=pointer.tiered_start,
        created_ms=NOW_MS,
    )


@given(pointers())
def test_a_pointer_comes_back_as_it_was_written(pointer: Pointer) -> None:
    payload = encode_pointer(pointer)
    assert decode_pointer(payload) == pointer
    assert len(payload) <= 512
    json.loads(payload)


def test_the_largest_pointer_stays_small() -> None:
    payload = encode_pointer(LARGEST)
    assert len(payload) <= 512
    assert decode_pointer(payload) == LARGEST


@given(damaged(encode_pointer(LARGEST)))
def test_any_damage_is_corruption(payload: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_pointer(payload)


def test_any_flipped_bit_is_corruption() -> None:
    payload = encode_pointer(LARGEST)
    for bit in range(len(payload) * 8):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptObjectError):
            decode_pointer(bytes(flipped))


@given(st.binary(max_size=600))
def test_anything_else_is_corruption(payload: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_pointer(payload)


GOOD = encode_pointer(replace(LARGEST, tiered_start=Offset(5))).rsplit(b",", 1)[0]


@given(damaged(GOOD))
def test_a_forged_pointer_is_refused_or_spelled_exactly(body: bytes) -> None:
    payload = resealed(body)
    try:
        found = decode_pointer(payload)
    except (CorruptObjectError, UnsupportedFormatError):
        return
    assert encode_pointer(found) == payload


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"claim":4294967295', b'"claim":4294967296'),
        (b'"claim":4294967295', b'"claim":-1'),
        (b'"claim":4294967295', b'"claim":1.0'),
        (b'"claim":4294967295', b'"claim":true'),
        (b'"claim":4294967295', b'"claim":null'),
        (b'"claim":4294967295', b'"claim":"1"'),
        (b'"claim":4294967295', b'"claim": 1'),
        (b'"claim":4294967295', b'"claim":1,"claim":1'),
        (b'"claim":4294967295,', b""),
        (b'"claim":4294967295', b'"claim":' + b"9" * 200),
        (b'"max_ts":', b'"more":1,"max_ts":'),
        (b'"tiered_start":5', b'"tiered_start":05'),
        (b'"sha256":"ffff', b'"sha256":"FFFF'),
        (b'"sha256":"ffff', b'"sha256":"ff'),
        (b'"sha256":"' + b"f" * 64 + b'"', b'"sha256":null'),
        (b'"root":"7fffffff', b'"root":"8fffffff'),
        (b'"fmt":1', b'"fmt":0'),
        (b'"ver":999999999999', b'"ver":999999999998'),
    ],
)
def test_a_sound_value_of_another_spelling_is_corrupt(old: bytes, new: bytes) -> None:
    assert old in GOOD
    decode_pointer(resealed(GOOD))
    with pytest.raises(CorruptObjectError):
        decode_pointer(resealed(GOOD.replace(old, new, 1)))


def test_a_later_format_asks_for_a_newer_version() -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        decode_pointer(resealed(b'{"fmt":2,"whatever":[]'))
    assert caught.value.found == 2


@pytest.mark.rule("TIER-4")
def test_every_start_takes_a_new_claim_also_in_the_same_epoch() -> None:
    pointer = claimed(unclaimed(Offset(9)), epoch=LeaderEpoch(4))
    again = claimed(pointer, epoch=LeaderEpoch(4))
    assert (pointer.stamp.epoch, pointer.stamp.claim, pointer.stamp.ver) == (4, 1, 0)
    assert again.stamp > pointer.stamp
    assert again == replace(pointer, stamp=again.stamp)


@pytest.mark.rule("TIER-3")
def test_an_older_leader_cannot_claim() -> None:
    pointer = claimed(unclaimed(Offset(0)), epoch=LeaderEpoch(4))
    with pytest.raises(StaleEpochError) as caught:
        claimed(pointer, epoch=LeaderEpoch(3))
    assert isinstance(caught.value, FencedError)
    assert (caught.value.epoch, caught.value.claimed_epoch) == (3, 4)


@pytest.mark.rule("BP-D11")
def test_a_commit_moves_the_pointer_and_a_claim_keeps_the_name_of_the_root() -> None:
    pointer = claimed(unclaimed(Offset(9)), epoch=LeaderEpoch(3))
    root = root_of(pointer)
    ref = encode_root(root).ref
    after = committed(pointer, root, ref)
    assert after.stamp == root.stamp
    assert after.stamp > pointer.stamp
    taken = claimed(after, epoch=LeaderEpoch(8))
    assert taken.root == ref
    assert taken.root is not None
    assert taken.root.key(PATH).text == ref.key(PATH).text, "its key has the older stamp"
    assert decode_pointer(encode_pointer(taken)) == taken


def test_a_commit_that_does_not_follow_is_refused() -> None:
    pointer = claimed(unclaimed(Offset(9)), epoch=LeaderEpoch(3))
    root = root_of(pointer)
    ref = encode_root(root).ref
    after = committed(pointer, root, ref)
    with pytest.raises(AssertionError):
        committed(after, root, ref)
    with pytest.raises(AssertionError):
        committed(claimed(pointer, epoch=LeaderEpoch(3)), root, ref)
    with pytest.raises(AssertionError):
        committed(replace(pointer, tiered_start=Offset(10), tiered_end=Offset(10)), root, ref)
    with pytest.raises(AssertionError):
        committed(pointer, root, replace(ref, uid=uid(7)))


def test_a_pointer_says_what_its_root_says() -> None:
    root = append(
        first_root(PATH, uid=uid(1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS),
        [entry(0, 10), entry(10, 20, max_timestamp=NOW_MS - 5)],
        end_epoch=LeaderEpoch(2),
    )
    pointer = pointer_to(root, encode_root(root).ref)
    assert pointer.bytes == root.totals.bytes
    assert pointer.max_timestamp == NOW_MS
    assert (pointer.tiered_end, pointer.tiered_end_epoch) == (20, 2)


def test_a_restore_points_to_a_root_from_above_all_epochs_and_claims() -> None:
    root = first_root(PATH, uid=uid(1), stamp=stamp(4), start=Offset(0), created_ms=NOW_MS)
    ref = encode_root(root).ref
    pointer = pointer_to(root, ref, owner=Stamp(LeaderEpoch(100), 200, 4))
    assert decode_pointer(encode_pointer(pointer)) == pointer
    with pytest.raises(AssertionError):
        pointer_to(root, ref, owner=Stamp(LeaderEpoch(100), 200, 5))
    taken = claimed(pointer, epoch=LeaderEpoch(101))
    after = next_root(root, 1)
    after = replace(after, stamp=replace(taken.stamp, ver=5))
    committed(taken, after, encode_root(after).ref)
