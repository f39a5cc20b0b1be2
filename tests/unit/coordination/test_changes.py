"""What a change node carries, and how much of it."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from service.coordination.changes import (
    CHANGE_BYTES_MAX,
    CHANGE_PARTITIONS_MAX,
    BrokerConfigChange,
    Change,
    Edit,
    PartitionChange,
    TopicChange,
    TopicDeletion,
    batches,
    decode_changes,
    encode_row,
    last_sequence,
    oldest_sequence,
    publish,
)
from service.coordination.elections import first_term
from service.coordination.metadata_store import BadVersionError, Check, Create, Set
from service.coordination.payloads import TopicNode
from tests.unit.coordination.stage import founded

TOPIC_ID = TopicId(bytes(range(16)))
CHANGES: list[Change] = [
    TopicChange(
        TopicName("foo"), TopicNode(topic_id=TOPIC_ID, config={"a": "b"}, partitions=2, version=3)
    ),
    TopicDeletion(TopicName("foo"), TOPIC_ID, 7),
    PartitionChange(
        PartitionId(TOPIC_ID, 4), first_term((NodeId(1),), {NodeId(1): 5}, controller_epoch=6)
    ),
    BrokerConfigChange(NodeId(3), {"c": "d"}, 0),
    BrokerConfigChange(None, {}, 7),
]


def test_every_kind_of_change_comes_back_as_it_was_published() -> None:
    rows = b",".join(map(encode_row, CHANGES))
    assert decode_changes(b'{"v":1,"changes":[' + rows + b"]}", "/x") == CHANGES


@pytest.mark.rule("BP-D8")
def test_a_row_carries_path_version_and_value() -> None:
    assert json.loads(encode_row(CHANGES[0])) == [
        "/topics/foo",
        3,
        {"topic_id": "AAECAwQFBgcICQoLDA0ODw", "config": {"a": "b"}, "partitions": 2},
    ]


def test_kinds_that_are_not_known_yet_are_passed_over() -> None:
    rows = b'["/users/x",1,{}],' + encode_row(CHANGES[1])
    assert decode_changes(b'{"v":1,"changes":[' + rows + b"]}", "/x") == [CHANGES[1]]


_EDITS = st.lists(
    st.builds(
        lambda size, partitions: Edit((), (bytes(size),), partitions),
        st.integers(0, CHANGE_BYTES_MAX + 10),
        st.integers(1, CHANGE_PARTITIONS_MAX + 10),
    ),
    max_size=20,
)


@given(_EDITS)
def test_batches_are_bounded_and_lose_nothing(edits: list[Edit]) -> None:
    grouped = list(batches(edits))
    assert [edit for batch in grouped for edit in batch] == edits
    for batch in grouped:
        assert batch
        if len(batch) > 1:
            assert sum(edit.partitions for edit in batch) <= CHANGE_PARTITIONS_MAX
            assert sum(edit.row_bytes for edit in batch) <= CHANGE_BYTES_MAX
    for one, other in pairwise(grouped):
        both = [*one, other[0]]
        assert (
            sum(edit.partitions for edit in both) > CHANGE_PARTITIONS_MAX
            or sum(edit.row_bytes for edit in both) > CHANGE_BYTES_MAX
        )


@pytest.mark.rule("BP-D8")
async def test_a_change_is_published_with_what_it_tells_or_not_at_all() -> None:
    store = await founded()
    await store.create("/x", b"old")
    edit = Edit((Set("/x", b"new", 0),), (encode_row(CHANGES[1]),))
    assert await last_sequence(store) == -1
    with pytest.raises(BadVersionError):
        await publish(store, checks=[Check("/x", 3)], edits=[edit])
    assert await last_sequence(store) == -1
    assert (await store.get("/x"))[0] == b"old"
    assert await publish(store, checks=[Check("/x", 0)], edits=[edit]) == 0
    assert await publish(store, checks=[], edits=[Edit((Create("/y"),), ())]) == 1
    assert await last_sequence(store) == 1
    assert await oldest_sequence(store) == 0
    content, _ = await store.get("/changes/seq-0000000000")
    assert decode_changes(content, "/x") == [CHANGES[1]]
