import pytest
from hypothesis import given
from hypothesis import strategies as st

from everlog.model.ids import TopicName
from service.groups.subscription import subscribed_topics

# Written by Apache Kafka 4.1.0's ConsumerProtocol, version by version.
KAFKA = [
    "00000000000200016100026263ffffffff",
    "00010000000200016100026263ffffffff000000010001610000000100000000",
    "00020000000200016100026263ffffffff00000001000161000000010000000000000005",
    "00030000000200016100026263ffffffff0000000100016100000001000000000000000500027231",
]


TOPICS = {TopicName("a"), TopicName("bc")}


@pytest.mark.parametrize("metadata", KAFKA)
def test_the_topics_of_a_consumer_are_read_in_every_version(metadata: str) -> None:
    assert subscribed_topics(bytes.fromhex(metadata)) == TOPICS


def test_the_topics_are_read_in_versions_to_come() -> None:
    metadata = b"\0\x09" + bytes.fromhex(KAFKA[0])[2:] + b"anything"
    assert subscribed_topics(metadata) == TOPICS


def test_a_consumer_of_nothing_has_no_topics() -> None:
    assert subscribed_topics(b"\0\0\0\0\0\0") == frozenset()


def test_what_cannot_be_read_says_nothing() -> None:
    for metadata in (b"", b"\0", b"\0\0\x7f\xff\xff\xff", b"\0\0\0\0\0\1\0\5ab"):
        assert subscribed_topics(metadata) is None


@given(st.binary(max_size=60))
def test_no_metadata_can_do_harm(metadata: bytes) -> None:
    topics = subscribed_topics(metadata)
    assert topics is None or all(isinstance(topic, str) for topic in topics)
