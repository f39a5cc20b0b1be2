"""Kafka's rules for names."""

import pytest

from everlog.model.ids import TopicName
from service.coordination.topic_errors import InvalidTopicNameError
from service.coordination.topic_names import (
    NAME_CHARACTERS_MAX,
    check_topic_name,
    collision_key,
    collision_keys,
)


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "...", "__consumer_offsets", "x" * 249])
def test_a_name_that_kafka_takes_is_taken(name: str) -> None:
    check_topic_name(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        (".", "cannot be called"),
        ("..", "cannot be called"),
        ("x" * (NAME_CHARACTERS_MAX + 1), "250 characters"),
        ("a b", "' '"),
        ("a/b", "'/'"),
        ("ä", "'ä'"),
        ("a\0", "holds"),
        ("a\n", "holds"),
    ],
)
def test_a_name_that_kafka_refuses_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(InvalidTopicNameError, match=why):
        check_topic_name(name)


def test_names_that_differ_in_dot_and_underscore_alone_collide() -> None:
    assert collision_key("a.b_c") == collision_key("a_b.c")
    assert collision_key("a.b") != collision_key("a-b")
    assert collision_keys([TopicName("a.b")]) == {"a_b": "a.b"}
