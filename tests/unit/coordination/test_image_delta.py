"""A delta says exactly what differs."""

from dataclasses import replace

from everlog.model.ids import NodeId, TopicId, TopicName
from service.coordination.elections import first_term
from service.coordination.image_delta import compare
from service.model.cluster import EMPTY_IMAGE, ClusterImage, TopicImage

STATE = first_term((NodeId(1),), {NodeId(1): 0}, controller_epoch=0)
FOO = TopicName("foo")


def _topic(number: int, partitions: int = 1) -> TopicImage:
    topic_id = TopicId(bytes([number]) * 16)
    states = (STATE,) * partitions
    return TopicImage(name=FOO, topic_id=topic_id, config={}, partitions=states, version=0)


def _image(*topics: TopicImage) -> ClusterImage:
    return replace(
        EMPTY_IMAGE,
        topics={topic.name: topic for topic in topics},
        names={topic.topic_id: topic.name for topic in topics},
    )


def test_equal_images_have_an_empty_delta_even_if_nothing_is_shared() -> None:
    assert compare(_image(_topic(1)), _image(_topic(1)), [FOO]).is_empty
    assert compare(EMPTY_IMAGE, EMPTY_IMAGE, []).is_empty


def test_a_recreated_topic_is_deleted_and_created() -> None:
    old, new = _topic(1, 2), _topic(2)
    delta = compare(_image(old), _image(new), [FOO])
    assert (delta.topics_deleted, delta.topics_created) == ((old,), (new,))
    (update,) = delta.partitions
    assert update.before is None
    assert update.partition.topic_id == new.topic_id


def test_a_deleted_topics_partitions_are_not_listed() -> None:
    delta = compare(_image(_topic(1, 2)), EMPTY_IMAGE, [FOO])
    assert delta.topics_deleted == (_topic(1, 2),)
    assert delta.partitions == ()
    assert not delta.is_empty


def test_a_topic_that_grew_is_changed_and_its_new_partitions_are_listed() -> None:
    old = _topic(1)
    new = replace(old, partitions=(STATE, STATE), version=1)
    delta = compare(_image(old), _image(new), [FOO])
    assert delta.topics_changed == (new,)
    assert [each.partition.partition for each in delta.partitions] == [1]


def test_a_change_of_members_or_settings_is_a_delta_too() -> None:
    image = _image(_topic(1))
    assert compare(image, replace(image, controller_id=NodeId(1)), []).controller_changed
    assert compare(image, replace(image, racks={NodeId(1): "a"}), []).brokers_changed
    changed = compare(image, replace(image, broker_configs={None: {"a": "1"}}), [])
    assert changed.configs_changed == {None}
    assert not changed.is_empty
    same = compare(image, replace(image, broker_configs={None: {}}), [])
    assert same.is_empty, "no settings and none yet are the same"
