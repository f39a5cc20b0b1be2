"""A cut comes back as it was written, in pieces or at once, and any damage to it shows."""

import gzip
import json

import pytest

from everlog.format.cut import Cut, CutOffset, CutRoot, CutTopic, root_name
from everlog.format.cut_codec import (
    PLAIN_BYTES_MAX,
    ROWS_PER_PIECE,
    CutTooLargeError,
    cut_head,
    cut_pieces,
    decode_cut,
    seal_cut,
)
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.sealed_json import seal_json, unseal_json
from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, damaged, given, stamp, uid

CLUSTER = "the-cluster"
ORDERS = TopicId(b"orders".ljust(16, b"."))
CACHE = TopicId(b"cache".ljust(16, b"."))


def a_cut(*, roots: int = 2, offsets: int = 2, created_ms: int = NOW_MS) -> Cut:
    return Cut(
        cluster_id=CLUSTER,
        owner=3,
        created_ms=created_ms,
        settings={None: {"retention.ms": "5"}, NodeId(7): {"a": "Grüße"}},
        topics=[
            CutTopic(
                name=TopicName("orders"),
                topic_id=ORDERS,
                partitions=roots + 1,
                config={"segment.bytes": "1"},
                epoch=LeaderEpoch(4),
                is_tiered=True,
                roots=[
                    CutRoot(number, root_name(stamp(number + 1), uid(number)), Offset(number * 10))
                    for number in range(roots)
                ],
                extra={"of the future": [1]},
            ),
            CutTopic(
                name=TopicName("cache"),
                topic_id=CACHE,
                partitions=1,
                config={"cleanup.policy": "compact"},
                epoch=LeaderEpoch(0),
                is_tiered=False,
                roots=[],
            ),
        ],
        groups={
            'a "group"': {
                ORDERS: [
                    CutOffset(number, Offset(number), LeaderEpoch(2), "né", 500)
                    for number in range(offsets)
                ],
                CACHE: [CutOffset(0, Offset(1 << 62), None, "", None)],
            },
            "b": {},
        },
    )


def encoded(cut: Cut) -> bytes:
    return seal_cut(b"".join((cut_head(cut), *cut_pieces(cut))))


SMALL = encoded(a_cut())


@pytest.mark.parametrize("count", [0, 1, ROWS_PER_PIECE, 3 * ROWS_PER_PIECE + 1])
def test_a_cut_comes_back_whatever_its_size(count: int) -> None:
    cut = a_cut(roots=count, offsets=count)
    assert decode_cut(encoded(cut), cluster_id=CLUSTER) == cut
    assert (cut.partitions, cut.offsets) == (count, count + 1)


def test_a_cut_tells_the_uids_of_its_roots() -> None:
    (topic, _) = decode_cut(SMALL, cluster_id=CLUSTER).topics
    assert [each.uid for each in topic.roots] == [uid(0), uid(1)]


def test_no_piece_of_a_large_cut_takes_long_to_write() -> None:
    cut = a_cut(roots=5000, offsets=5000)
    assert max(map(len, cut_pieces(cut))) < 100 * ROWS_PER_PIECE
    assert cut_head(cut) in encoded(a_cut())


def test_a_small_cut_is_json_for_people_and_a_large_one_is_compressed() -> None:
    assert json.loads(SMALL)["cluster_id"] == CLUSTER
    large = encoded(a_cut(roots=2000))
    assert len(gzip.decompress(large)) > PLAIN_BYTES_MAX
    assert json.loads(gzip.decompress(large))["owner"] == 3


@given(damaged(SMALL))
def test_any_damage_to_a_small_cut_shows(content: bytes) -> None:
    if content != SMALL.rstrip(b"\n"):
        with pytest.raises(CorruptObjectError):
            decode_cut(content, cluster_id=CLUSTER)


LARGE = encoded(a_cut(roots=1500))


@given(damaged(LARGE))
def test_damage_to_a_large_cut_shows_or_does_no_harm(content: bytes) -> None:
    try:
        found = decode_cut(content, cluster_id=CLUSTER)
    except CorruptObjectError:
        return
    # Of the header of a compressed file some bytes mean nothing.
    assert found == a_cut(roots=1500)


def test_a_cut_of_another_cluster_or_with_nonsense_in_it_is_no_cut() -> None:
    with pytest.raises(CorruptObjectError, match="it is of cluster the-cluster"):
        decode_cut(SMALL, cluster_id="another")
    fields = unseal_json(SMALL, what="cut", format_max=1)
    for change in (
        {"created_ms": -1},
        {"owner": "1"},
        {"settings": []},
        {"settings": {"x": {}}},
        {"topics": [{}]},
        {"groups": {"g": {"zz": []}}},
        {"groups": {"g": {"00": []}}},
        {"groups": {"g": {ORDERS.hex(): [[0, 1]]}}},
        {"groups": {"g": {ORDERS.hex(): [[0, -1, None, "", None]]}}},
    ):
        with pytest.raises(CorruptObjectError):
            decode_cut(seal_json({**fields, **change}), cluster_id=CLUSTER)
    with pytest.raises(UnsupportedFormatError):
        decode_cut(seal_json({**fields, "format": 2}), cluster_id=CLUSTER)


def test_what_is_compressed_too_far_is_not_unpacked_and_too_large_a_cut_is_not_written() -> None:
    with pytest.raises(CorruptObjectError, match="too many"):
        decode_cut(LARGE, cluster_id=CLUSTER, text_bytes_max=1000)
    cut = a_cut(roots=1500)
    with pytest.raises(CutTooLargeError, match="is too large"):
        seal_cut(b"".join((cut_head(cut), *cut_pieces(cut))), text_bytes_max=1000)
