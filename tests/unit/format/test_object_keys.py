import re
import string
from hashlib import blake2b

import pytest
from hypothesis import strategies as st

from everlog.format.object_keys import (
    CLAIM_MAX,
    EPOCH_MAX,
    OFFSET_MAX,
    PARTITION_MAX,
    VER_MAX,
    ArchiveKey,
    ClusterKey,
    ForeignKey,
    InvalidKeyError,
    LatestKey,
    PageKey,
    PartitionPath,
    RootKey,
    SegmentKey,
    Stamp,
    Uid,
    parse_key,
    stamp_and_uid,
    uid_bytes,
    uid_text,
)
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from tests.unit.format.samples import PATH, given, stamp, uid

CLUSTER_ID_CHARACTERS = string.ascii_letters + string.digits + "-_"
SIXTEEN = st.binary(min_size=16, max_size=16)
PATHS = st.builds(
    PartitionPath,
    cluster_id=st.text(CLUSTER_ID_CHARACTERS, min_size=1, max_size=64),
    topic_id=SIXTEEN.map(TopicId),
    partition=st.integers(0, PARTITION_MAX),
)
STAMPS = st.builds(
    Stamp,
    st.integers(0, EPOCH_MAX).map(LeaderEpoch),
    st.integers(0, CLAIM_MAX),
    st.integers(0, VER_MAX),
)
RANGES = st.lists(st.integers(0, OFFSET_MAX), min_size=2, max_size=2, unique=True).map(
    lambda two: OffsetRange(Offset(min(two)), Offset(max(two)))
)
UIDS = SIXTEEN.map(Uid)
KEYS = st.one_of(
    st.builds(SegmentKey, path=PATHS, offsets=RANGES, stamp=STAMPS, uid=UIDS),
    st.builds(PageKey, path=PATHS, offsets=RANGES, uid=UIDS),
    st.builds(RootKey, path=PATHS, stamp=STAMPS, uid=UIDS),
    st.builds(LatestKey, path=PATHS),
)
SEGMENT = SegmentKey(
    path=PATH, offsets=OffsetRange(Offset(5), Offset(905)), stamp=stamp(12), uid=uid(1)
)


@given(KEYS)
def test_every_key_is_read_back_as_it_was_written(key: ArchiveKey) -> None:
    assert parse_key(key.text) == key


@pytest.mark.rule("TIER-52")
@given(KEYS)
def test_keys_keep_to_characters_that_every_store_takes(key: ArchiveKey) -> None:
    assert re.fullmatch(r"[0-9a-zA-Z/_.=-]+", key.text)


def test_keys_look_as_the_blueprint_says() -> None:
    place = PATH.topic_id + (7).to_bytes(4, "little")
    spread = blake2b(place).hexdigest()[:4]
    prefix = f"{spread}/Ab_-9cluster-id-22char/000102030405060708090a0b0c0d0e0f/000007/"
    assert PATH.prefix == prefix
    assert SEGMENT.text == (
        f"{prefix}seg/00000000000000000005-00000000000000000905"
        f"-00000003-00000005-000000000012-{uid_text(uid(1))}.seg"
    )
    root = RootKey(path=PATH, stamp=stamp(12), uid=uid(2))
    assert root.text == f"{prefix}root/00000003-00000005-000000000012-{uid_text(uid(2))}.root"
    page = PageKey(path=PATH, offsets=SEGMENT.offsets, uid=uid(3))
    assert page.text == (
        f"{prefix}page/00000000000000000005-00000000000000000905-{uid_text(uid(3))}.pg"
    )
    assert LatestKey(path=PATH).text == f"{prefix}root/LATEST"
    cluster = ClusterKey(cluster_id="Ab_-9").text
    assert cluster == "meta/Ab_-9/cluster.json"
    assert isinstance(parse_key(cluster), ForeignKey)
    assert len(uid_text(uid(1))) == 26


@given(STAMPS, STAMPS)
def test_names_of_roots_sort_as_their_stamps(one: Stamp, other: Stamp) -> None:
    assert (one < other) == (one.text < other.text)


@given(RANGES, RANGES)
def test_names_of_segments_sort_by_base_offset(one: OffsetRange, other: OffsetRange) -> None:
    texts = [
        SegmentKey(path=PATH, offsets=offsets, stamp=stamp(1), uid=uid(1)).text
        for offsets in (one, other)
    ]
    if one.start != other.start:
        assert (one.start < other.start) == (texts[0] < texts[1])


@given(st.text())
def test_any_text_is_a_key_or_a_typed_refusal(text: str) -> None:
    assert isinstance(parse_key(text), ForeignKey)


@given(KEYS, st.data())
def test_a_changed_key_is_refused_or_is_another_key(key: ArchiveKey, data: st.DataObject) -> None:
    text = key.text
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from("0a7zAZ/_.=- \n٣")) + text[at + 1 :]
    parsed = parse_key(changed)
    if not isinstance(parsed, ForeignKey):
        assert parsed.text == changed
        assert (parsed == key) == (changed == text)


@pytest.mark.parametrize(
    "change",
    [
        ("/seg/", "/segments/"),
        (".seg", ".SEG"),
        (".seg", ".seg/"),
        ("000007/", "7/"),
        ("000007/", "0000007/"),
        ("000007/", "9999999999/"),
        (PATH.prefix[:4], "0000"),
        ("-00000003-", "-80000000-"),
        ("00000000000000000905", "00000000000000000005"),
        ("00000000000000000905", "99999999999999999999"),
        (uid_text(uid(1)), uid_text(uid(1)).upper()),
        (uid_text(uid(1)), uid_text(uid(1))[:-1] + "7"),
    ],
)
def test_a_foreign_name_is_refused_with_a_reason(change: tuple[str, str]) -> None:
    text = SEGMENT.text.replace(*change)
    assert text != SEGMENT.text
    refused = parse_key(text)
    assert isinstance(refused, ForeignKey)
    assert refused.text == text
    assert refused.reason


@pytest.mark.parametrize("cluster_id", ["", "a/b", "a b", "a.b", "x" * 65, "é"])
def test_a_cluster_id_that_would_break_keys_is_rejected(cluster_id: str) -> None:
    with pytest.raises(InvalidKeyError):
        PartitionPath(cluster_id=cluster_id, topic_id=PATH.topic_id, partition=0)


def test_what_does_not_fit_into_a_key_is_rejected() -> None:
    with pytest.raises(InvalidKeyError):
        Stamp(LeaderEpoch(-1), 0, 0)
    with pytest.raises(InvalidKeyError):
        Stamp(LeaderEpoch(0), 0, VER_MAX + 1)
    with pytest.raises(InvalidKeyError):
        PartitionPath(cluster_id="c", topic_id=TopicId(b"short"), partition=0)
    with pytest.raises(InvalidKeyError):
        RootKey(path=PATH, stamp=stamp(1), uid=Uid(b"short"))
    with pytest.raises(InvalidKeyError):
        PageKey(path=PATH, offsets=OffsetRange(Offset(3), Offset(3)), uid=uid(1))


@given(UIDS)
def test_a_uid_has_one_spelling(made: Uid) -> None:
    text = uid_text(made)
    assert uid_bytes(text) == made
    assert text == text.lower()
    for last in "abcdefghijklmnopqrstuvwxyz234567":
        if last != text[-1]:
            try:
                assert uid_bytes(text[:-1] + last) != made
            except InvalidKeyError:
                continue


@given(STAMPS, UIDS)
def test_the_name_of_a_root_gives_its_stamp_and_uid(made: Stamp, named: Uid) -> None:
    assert stamp_and_uid(f"{made.text}-{uid_text(named)}") == (made, named)
    with pytest.raises(InvalidKeyError):
        stamp_and_uid(f"{made.text}-{uid_text(named)}.root")
