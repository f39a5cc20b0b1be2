"""A cluster's own objects are told by their names, and the newest of a kind has the greatest."""

import pytest

from everlog.format.meta_keys import (
    CutKey,
    DeletedTopicKey,
    MetaKey,
    OwnerKey,
    TopicRecordKey,
    parse_meta_key,
)
from everlog.format.object_keys import ClusterKey, ForeignKey, InvalidKeyError, parse_key
from everlog.stores.object_key import is_object_key
from tests.unit.format.samples import PATH, uid

CLUSTER, TOPIC = PATH.cluster_id, PATH.topic_id


def record(owner: int, version: int, number: int = 1) -> TopicRecordKey:
    return TopicRecordKey(
        cluster_id=CLUSTER, topic_id=TOPIC, owner=owner, version=version, uid=uid(number)
    )


def deleted(owner: int | None) -> DeletedTopicKey:
    return DeletedTopicKey(cluster_id=CLUSTER, topic_id=TOPIC, named_owner=owner, uid=uid(1))


KEYS: list[MetaKey] = [
    ClusterKey(cluster_id=CLUSTER),
    OwnerKey(cluster_id=CLUSTER, number=12, uid=uid(1)),
    record(3, 45),
    deleted(3),
    deleted(None),
    CutKey(cluster_id=CLUSTER, created_ms=1_700_000_000_000, owner=3, uid=uid(1)),
    CutKey(cluster_id=CLUSTER, created_ms=0, owner=0, uid=uid(1), is_packed=True),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_a_name_gives_its_key_back(key: MetaKey) -> None:
    assert parse_meta_key(key.text) == key
    assert is_object_key(key.text)
    assert isinstance(parse_key(key.text), ForeignKey)


@pytest.mark.parametrize(
    "text",
    [
        f"meta/probe-{CLUSTER}-1",
        f"meta/{CLUSTER}/owner-12-{'a' * 26}.json",
        f"meta/{CLUSTER}/owner-000000-{'a' * 26}.json",
        f"meta/{CLUSTER}/owner-000012-{'a' * 25}b.json",
        f"meta/{CLUSTER}/topics/{TOPIC.hex()}/topic.json",
        f"meta/{CLUSTER}/topics/{TOPIC.hex().upper()}/deleted-{'a' * 26}.json",
        f"meta/{CLUSTER}/topics/{TOPIC.hex()}/deleted-12-{'a' * 26}.json",
        f"meta/{CLUSTER}/cuts/1700000000000-000003-{'a' * 25}b.json",
        f"meta/{CLUSTER}/cuts/1700000000000-000003-{'a' * 26}.json.zst",
        f"meta/{CLUSTER}/cuts/170000000000-000003-{'a' * 26}.json",
        "meta/a:b/cluster.json",
    ],
)
def test_other_names_are_foreign(text: str) -> None:
    assert isinstance(parse_meta_key(text), ForeignKey)


def test_names_sort_as_records_are_new() -> None:
    ordered = [record(0, 9), record(0, 10), record(1, 0), record(1, 1), record(12, 0)]
    assert [each.text for each in ordered] == sorted(each.text for each in ordered)
    assert ordered == sorted(ordered, key=lambda each: each.order)


@pytest.mark.parametrize("number", [0, -1, 1_000_000])
def test_an_owner_has_a_number_that_a_name_can_hold(number: int) -> None:
    with pytest.raises(InvalidKeyError):
        OwnerKey(cluster_id=CLUSTER, number=number, uid=uid(1))


def test_a_deletion_of_an_owner_that_its_name_does_not_tell_is_the_oldest() -> None:
    assert [deleted(each).owner for each in (None, 0, 3)] == [0, 0, 3]
    assert "/deleted-000003-" in deleted(3).text
    with pytest.raises(InvalidKeyError):
        deleted(1_000_000)


@pytest.mark.parametrize(("owner", "version"), [(-1, 0), (1_000_000, 0), (0, -1), (0, 10**10)])
def test_a_record_has_numbers_that_a_name_can_hold(owner: int, version: int) -> None:
    with pytest.raises(InvalidKeyError):
        record(owner, version)


def test_a_cut_of_a_later_owner_is_newer_whatever_the_clocks_said() -> None:
    def cut(created_ms: int, owner: int) -> CutKey:
        return CutKey(cluster_id=CLUSTER, created_ms=created_ms, owner=owner, uid=uid(1))

    ordered = [cut(5, 0), cut(9, 0), cut(4, 1), cut(6, 1)]
    assert ordered == sorted(ordered, key=lambda each: each.order)
    with pytest.raises(InvalidKeyError):
        cut(10**13, 0)
