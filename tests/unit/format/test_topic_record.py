"""What is known of a topic is kept whole, what a newer version knows of it included."""

from dataclasses import replace
from typing import Any

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.sealed_json import seal_json
from everlog.format.topic_record import TopicRecord, decode_topic_record, encode_topic_record
from everlog.model.ids import TopicId, TopicName
from tests.unit.format.samples import NOW_MS

TOPIC = TopicId(bytes(range(16)))
RECORD = TopicRecord(
    name=TopicName("orders"),
    topic_id=TOPIC,
    partitions=3,
    config={"retention.ms": "1", "of.the.future": "yes"},
    created_ms=NOW_MS,
)
FIELDS = {
    "format": 1,
    "name": "orders",
    "topic_id": TOPIC.hex(),
    "partitions": 3,
    "config": {},
    "created_ms": NOW_MS,
}


@pytest.mark.rule("TIER-34")
def test_a_record_is_read_back_with_what_nobody_here_knows() -> None:
    record = replace(RECORD, extra={"owners": ["a"], "tier_class": 3})
    assert decode_topic_record(encode_topic_record(record), topic_id=TOPIC) == record


def test_another_topics_record_is_refused() -> None:
    with pytest.raises(CorruptObjectError, match="it is about topic"):
        decode_topic_record(encode_topic_record(RECORD), topic_id=TopicId(bytes(16)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("partitions", 0),
        ("partitions", 1 << 40),
        ("partitions", "3"),
        ("config", ["a"]),
        ("config", {"retention.ms": 1}),
        ("created_ms", None),
        ("topic_id", "no hex"),
        ("name", None),
    ],
)
def test_nonsense_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CorruptObjectError):
        decode_topic_record(seal_json({**FIELDS, name: value}), topic_id=TOPIC)


def test_a_record_without_a_name_is_refused() -> None:
    fields = {key: value for key, value in FIELDS.items() if key != "name"}
    with pytest.raises(CorruptObjectError):
        decode_topic_record(seal_json(fields), topic_id=TOPIC)
