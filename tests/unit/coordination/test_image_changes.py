"""Only what is newer counts, whatever the image has seen already."""

from dataclasses import replace

import pytest

from everlog.model.ids import NodeId, PartitionId, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch
from service.coordination.changes import (
    Change,
    PartitionChange,
    TopicChange,
    TopicDeletion,
)
from service.coordination.elections import first_term
from service.coordination.image_changes import (
    apply_changes,
    published_states,
    states_to_read,
    touched_topics,
)
from service.coordination.topic_edits import node_of
from service.model.cluster import EMPTY_IMAGE, ClusterImage, PartitionState, TopicImage

FOO = TopicName("foo")
A, B = TopicId(b"a" * 16), TopicId(b"b" * 16)


def _state(version: int) -> PartitionState:
    first = first_term((NodeId(1),), {NodeId(1): 0}, controller_epoch=0)
    return replace(first, version=version, leader_epoch=LeaderEpoch(version))


def _topic(topic_id: TopicId, *versions: int, version: int = 0) -> TopicImage:
    return TopicImage(
        name=FOO,
        topic_id=topic_id,
        config={"version": str(version)},
        partitions=tuple(map(_state, versions)),
        version=version,
    )


def _image(topic: TopicImage) -> ClusterImage:
    return replace(EMPTY_IMAGE, topics={FOO: topic}, names={topic.topic_id: FOO})


def _created(topic: TopicImage) -> list[Change]:
    states = enumerate(topic.partitions)
    return [
        TopicChange(FOO, node_of(topic)),
        *(PartitionChange(PartitionId(topic.topic_id, n), state) for n, state in states),
    ]


def _apply(image: ClusterImage, *changes: Change) -> ClusterImage:
    return apply_changes(image, changes, published_states(changes))


@pytest.mark.rule("BP-D8")
def test_an_older_state_changes_nothing() -> None:
    image = _image(_topic(A, 5, 5))
    older = PartitionChange(PartitionId(A, 0), _state(4))
    newer = PartitionChange(PartitionId(A, 1), _state(6))
    assert _apply(image, older).topics[FOO] is image.topics[FOO]
    assert _apply(image, older, newer).topics[FOO] == _topic(A, 5, 6)
    assert _apply(image, newer, older, PartitionChange(PartitionId(A, 1), _state(2))).topics[
        FOO
    ] == _topic(A, 5, 6)


@pytest.mark.rule("BP-D8")
def test_an_older_topic_node_changes_nothing() -> None:
    image = _image(_topic(A, 5, version=3))
    assert _apply(image, *_created(_topic(A, 0, version=2))).topics[FOO] == image.topics[FOO]
    newer = _apply(image, TopicChange(FOO, node_of(_topic(A, 0, version=4))))
    assert newer.topics[FOO] == _topic(A, 5, version=4)


def test_the_deletion_of_an_earlier_topic_spares_the_present_one() -> None:
    image = _image(_topic(B, 0))
    assert _apply(image, TopicDeletion(FOO, A, 0)).topics == image.topics
    assert _apply(image, TopicDeletion(FOO, B, 0)).topics == {}
    assert _apply(image, TopicDeletion(FOO, B, 0)).names == {}


def test_a_state_of_an_unknown_topic_changes_nothing() -> None:
    image = _image(_topic(A, 0))
    stranger = PartitionChange(PartitionId(B, 0), _state(1))
    beyond = PartitionChange(PartitionId(A, 1), _state(1))
    assert _apply(image, stranger, beyond) == image
    assert touched_topics(image, [stranger]) == set()


def test_a_topic_whose_states_are_gone_is_left_out() -> None:
    topic = _topic(A, 0, 0)
    created = _created(topic)[:2]
    assert states_to_read(EMPTY_IMAGE, created, published_states(created)) == [PartitionId(A, 1)]
    assert _apply(EMPTY_IMAGE, *created).topics == {}


def test_a_whole_life_in_one_batch_ends_as_it_ended() -> None:
    old, new = _topic(A, 0), _topic(B, 0, 0)
    changes = [*_created(old), TopicDeletion(FOO, A, 0), *_created(new)]
    image = _apply(EMPTY_IMAGE, *changes)
    assert image.topics == {FOO: new}
    assert image.names == {B: FOO}
    assert touched_topics(EMPTY_IMAGE, changes) == {FOO}
    assert _apply(EMPTY_IMAGE, *changes, TopicDeletion(FOO, B, 0)).topics == {}


def _back(topic: TopicImage, name: TopicName, *versions: int) -> TopicImage:
    return replace(_topic(topic.topic_id, *versions), name=name, versions_before=topic.revision + 1)


def test_a_topic_that_came_back_is_not_deleted_by_its_earlier_deletion() -> None:
    old = _topic(A, 3, version=2)
    back = _back(old, FOO, 4)
    image = _image(back)
    assert _apply(image, TopicDeletion(FOO, A, old.revision)).topics == {FOO: back}
    assert _apply(image, *_created(old)).topics == {FOO: back}
    assert _apply(image, TopicDeletion(FOO, A, back.revision)).topics == {}


@pytest.mark.parametrize("name", [FOO, TopicName("bar")])
def test_who_slept_through_deletion_and_return_ends_with_what_came_back(name: TopicName) -> None:
    old = _topic(A, 3, version=2)
    back = _back(old, name, 4)
    changes: list[Change] = [
        *_created(old),
        TopicDeletion(FOO, A, old.revision),
        TopicChange(name, node_of(back)),
        PartitionChange(PartitionId(A, 0), back.partitions[0]),
    ]
    for image in (EMPTY_IMAGE, _image(old), _apply(EMPTY_IMAGE, *changes)):
        ended = _apply(image, *changes)
        assert ended.topics == {name: back}
        assert ended.names == {A: name}
    # Of a large topic no states are published: they are read, though older ones are at hand.
    assert states_to_read(_image(old), changes[2:4], {}) == [PartitionId(A, 0)]
    assert states_to_read(_image(back), changes[2:4], {}) == []
