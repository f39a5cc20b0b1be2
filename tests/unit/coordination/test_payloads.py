"""What the nodes hold, byte for byte, and what readers do about what they do not know."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.errors import CorruptionError, RejectedError
from everlog.model.ids import NodeId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.payloads import (
    DELETED_FORMAT,
    DeletedTopic,
    TopicNode,
    broker_payload,
    deleted_topic_payload,
    pack,
    read_broker,
    read_deleted_topic,
    read_state,
    read_topic,
    state_payload,
    topic_payload,
    unpack,
)
from service.model.cluster import Broker, Endpoint, PartitionState

TOPIC_ID = TopicId(bytes(range(16)))
STATE = PartitionState(
    replicas=(NodeId(1), NodeId(2)),
    leader=NodeId(1),
    leader_epoch=LeaderEpoch(3),
    leader_broker_epoch=4,
    isr=(NodeId(1), NodeId(2)),
    elr=(NodeId(3),),
    controller_epoch=5,
    version=6,
)


def _again(payload: object) -> dict[str, object]:
    return unpack(pack(payload), "/x")  # type: ignore[arg-type]


def test_a_state_is_written_as_documented() -> None:
    assert pack(state_payload(STATE)) == (
        b'{"v":1,"replicas":[1,2],"leader":1,"leader_epoch":3,"leader_broker_epoch":4,'
        b'"isr":[1,2],"elr":[3],"controller_epoch":5}'
    )


def test_an_unclean_term_is_written_only_once_there_is_one() -> None:
    unclean = replace(STATE, unclean_epoch=LeaderEpoch(3))
    assert pack(state_payload(unclean)).endswith(b'"controller_epoch":5,"unclean_epoch":3}')
    assert read_state(_again(state_payload(unclean)), 6) == unclean


def test_a_reassignment_is_written_only_while_there_is_one() -> None:
    moving = replace(
        STATE, replicas=(NodeId(3), NodeId(1)), adding=(NodeId(3),), removing=(NodeId(1),)
    )
    assert pack(state_payload(moving)).endswith(
        b'"controller_epoch":5,"adding":[3],"removing":[1]}'
    )
    assert read_state(_again(state_payload(moving)), 6) == moving


def test_a_topic_is_written_as_documented() -> None:
    node = TopicNode(topic_id=TOPIC_ID, config={"a": "b"}, partitions=2, version=0)
    assert pack(topic_payload(node)) == (
        b'{"v":1,"topic_id":"AAECAwQFBgcICQoLDA0ODw","config":{"a":"b"},"partitions":2}'
    )


def test_a_broker_is_written_as_documented() -> None:
    broker = Broker(
        id=NodeId(7),
        epoch=2,
        endpoints=(Endpoint(listener="IN", host="h", port=9, security="SSL"),),
        directory_id=bytes(16),
        boot_id="boot",
        rack=None,
    )
    written = pack(broker_payload(broker))
    assert written == (
        b'{"v":1,"epoch":2,"endpoints":[{"listener":"IN","host":"h","port":9,"security":"SSL"}],'
        b'"directory_id":"AAAAAAAAAAAAAAAAAAAAAA","boot_id":"boot","rack":null}'
    )
    assert read_broker(unpack(written, "/x"), NodeId(7)) == broker
    drained = replace(broker, draining=True)
    written = pack(broker_payload(drained))
    assert written.endswith(b'"rack":null,"draining":true}')
    assert read_broker(unpack(written, "/x"), NodeId(7)) == drained


def test_a_state_comes_back_and_shares_the_isr_of_a_partition_in_sync() -> None:
    found = read_state(_again(state_payload(STATE)), 6)
    assert found == STATE
    assert found.isr is found.replicas


def test_a_partition_without_a_leader_comes_back() -> None:
    state = PartitionState(
        replicas=(NodeId(0),),
        leader=None,
        leader_epoch=LeaderEpoch(0),
        leader_broker_epoch=-1,
        isr=(NodeId(0),),
        controller_epoch=0,
        version=0,
    )
    assert read_state(_again(state_payload(state)), 0) == state


def test_a_deleted_topic_comes_back() -> None:
    topic = DeletedTopic(
        topic_id=TOPIC_ID,
        name=TopicName("foo"),
        partitions=3,
        deleted_ms=4,
        version=5,
        config={"retention.ms": "1"},
        revision=6,
        is_sweeping=True,
        extra={"x": 1},
    )
    content = pack(deleted_topic_payload(topic))
    payload = unpack(content, "/x", format_max=DELETED_FORMAT)
    assert read_deleted_topic(payload, TOPIC_ID, 5) == topic
    with pytest.raises(RejectedError, match="start a newer version"):
        unpack(content, "/x")


def test_a_topic_that_an_older_version_has_deleted_may_be_half_gone() -> None:
    payload = {"name": "foo", "partitions": 3, "deleted_ms": 4}
    topic = read_deleted_topic(payload, TOPIC_ID, 5)
    assert topic.is_sweeping
    assert topic.revision is None


_JSON = st.none() | st.integers() | st.text() | st.lists(st.integers())
_EXTRA = st.dictionaries(st.text(min_size=1).map(lambda key: "x_" + key), _JSON)


@given(_EXTRA)
def test_unknown_keys_are_kept_by_a_rewrite(extra: dict[str, object]) -> None:
    state = read_state(unpack(pack({**state_payload(STATE), **extra}), "/x"), 6)
    assert state.extra == extra
    assert json.loads(pack(state_payload(state))) == {
        "v": 1,
        **json.loads(pack(state_payload(STATE))),
        **extra,
    }
    node = TopicNode(topic_id=TOPIC_ID, config={}, partitions=1, version=0)
    topic = read_topic(unpack(pack({**topic_payload(node), **extra}), "/x"), 0)
    assert topic.extra == extra
    assert json.loads(pack(topic_payload(topic))).items() >= extra.items()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[]", b"7", b'"v"', b"{}", b"null"])
def test_what_is_no_payload_is_corruption_and_names_its_path(content: bytes) -> None:
    with pytest.raises(CorruptionError, match="/topics/foo"):
        unpack(content, "/topics/foo")


def test_a_newer_format_is_refused_with_advice() -> None:
    with pytest.raises(RejectedError, match=r"format 2.*newer"):
        unpack(b'{"v":2}', "/x")
