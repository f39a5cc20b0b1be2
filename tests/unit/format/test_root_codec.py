from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import strategies as st

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.object_keys import RootKey
from everlog.format.retention import Cut, expired
from everlog.format.root import INLINE_FORMAT, Root
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.sealing import sealed
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import (
    NOW_MS,
    PATH,
    Pages,
    damaged,
    entries,
    given,
    next_root,
    stamp,
    uid,
    uids,
)


def paged_root() -> Root:
    """A second root with pages, entries, dead entries and every kind of trash."""
    pages = Pages()
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(50), created_ms=NOW_MS)
    made = entries(3, [7] * 30, base=50)
    root = append(root, made, end_epoch=LeaderEpoch(2))
    fresh = uids()
    for _ in range(2):
        walk = folded(root, uids=fresh, not_before_ms=5, folding=Folding(entries=4, small_pages=2))
        fold = drive(walk, pages.load)
        pages.put(fold.pages)
        root = fold.root
    root = next_root(root, 1)
    root = drive(expired(root, Cut(start=Offset(75)), not_before_ms=NOW_MS), pages.load)
    assert root.dead.entries
    return root


ROOT = paged_root()
STORED = encode_root(ROOT)
KEY = RootKey(path=PATH, stamp=ROOT.stamp, uid=ROOT.uid)


@given(
    st.integers(),
    st.lists(st.integers(1, 1 << 40), max_size=40),
    st.integers(0, 1 << 40),
    st.sampled_from([INLINE_FORMAT, 2]),
)
def test_a_root_comes_back_as_it_was_written(
    seed: int, lengths: list[int], start: int, root_format: int
) -> None:
    root = first_root(
        PATH,
        uid=uid(-1),
        stamp=stamp(1),
        start=Offset(start),
        created_ms=NOW_MS,
        root_format=root_format,
    )
    if lengths:
        root = append(root, entries(seed, lengths, base=start), end_epoch=LeaderEpoch(0))
    stored = encode_root(root)
    found = decode_root(stored.body, key=stored.ref.key(PATH), digest=stored.ref.sha256)
    assert found == root
    assert encode_root(found) == stored


def test_a_root_with_pages_and_trash_comes_back_as_it_was_written() -> None:
    found = decode_root(STORED.body, key=KEY, digest=STORED.ref.sha256)
    assert found == ROOT
    assert found.previous == ROOT.previous
    assert found.trash.latest_ms == ROOT.trash.latest_ms
    assert encode_root(found) == STORED


def test_the_hash_of_a_root_is_that_of_its_bytes() -> None:
    assert STORED.ref.sha256 == sha256(STORED.body).digest()
    assert (STORED.ref.stamp, STORED.ref.uid) == (ROOT.stamp, ROOT.uid)


@given(damaged(STORED.body))
def test_any_damage_is_corruption_by_the_hash_alone(data: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_root(data, key=KEY, digest=STORED.ref.sha256)


@given(damaged(STORED.body))
def test_any_damage_is_corruption_when_only_the_bucket_is_left(data: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_root(data, key=KEY, digest=None)


@given(damaged(STORED.body[:-4]))
def test_a_forged_root_is_refused_or_consistent_and_never_an_accident(body: bytes) -> None:
    try:
        found = decode_root(sealed(body), key=KEY, digest=None)
    except (CorruptObjectError, UnsupportedFormatError):
        return
    assert found.fault() is None
    assert encode_root(found).body == sealed(body)


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, uid=uid(4)),
        replace(KEY, stamp=stamp(3)),
        replace(KEY, path=replace(PATH, partition=8)),
        replace(KEY, path=replace(PATH, cluster_id="another")),
    ],
)
def test_another_root_under_this_name_is_refused(key: RootKey) -> None:
    with pytest.raises(CorruptObjectError, match="instead of"):
        decode_root(STORED.body, key=key, digest=None)


def test_a_sound_root_with_other_content_is_refused_by_the_hash() -> None:
    other = encode_root(replace(ROOT, created_ms=NOW_MS + 1))
    decode_root(other.body, key=KEY, digest=None)
    with pytest.raises(CorruptObjectError, match="SHA-256"):
        decode_root(other.body, key=KEY, digest=STORED.ref.sha256)


def test_a_root_that_follows_half_a_root_is_refused() -> None:
    first = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    stored = encode_root(first)
    for at in (64, 68, 72, 127):
        body = bytearray(stored.body[:-4])
        body[at] = 1
        with pytest.raises(CorruptObjectError, match="without a uid"):
            decode_root(sealed(bytes(body)), key=stored.ref.key(PATH), digest=None)


def test_a_later_format_asks_for_a_newer_version() -> None:
    body = STORED.body[:8] + b"\5\0" + STORED.body[10:-4]
    with pytest.raises(UnsupportedFormatError):
        decode_root(sealed(body), key=KEY, digest=None)


def test_format_1_with_513_entries_is_refused() -> None:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    root = append(root, entries(1, [1] * 512), end_epoch=LeaderEpoch(0))
    body = bytearray(encode_root(root).body[:-4])
    row, at = 88, 220 + len(PATH.cluster_id)
    widths = [8] * 7 + [16] + [4] * 4
    columns, position = [], at
    for width in widths:
        columns.append(bytes(body[position : position + width * 512]))
        position += width * 512
    assert position == at + row * 512 == len(body)
    one_more = [column + column[-width:] for column, width in zip(columns, widths, strict=True)]
    body[208:212] = (513).to_bytes(4, "little")
    forged = sealed(bytes(body[:at]) + b"".join(one_more))
    with pytest.raises(CorruptObjectError, match="513 entries"):
        decode_root(forged, key=encode_root(root).ref.key(PATH), digest=None)


def test_a_decoded_root_does_not_hold_the_buffer_that_it_came_in() -> None:
    buffer = bytearray(STORED.body)
    found = decode_root(bytes(buffer), key=KEY, digest=None)
    buffer.clear()  # raises BufferError while a view of it lives
    assert found == ROOT
