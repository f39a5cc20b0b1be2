"""What tells a restore that a topic was deleted also tells when its objects go."""

from typing import Any

import pytest

from everlog.format.deletion_mark import DeletionMark, decode_deletion_mark, encode_deletion_mark
from everlog.format.errors import CorruptObjectError
from everlog.format.sealed_json import seal_json
from everlog.model.ids import TopicId
from tests.unit.format.samples import NOW_MS

TOPIC = TopicId(bytes(range(16)))
FIELDS = {"format": 1, "topic_id": TOPIC.hex(), "deleted_ms": NOW_MS}


def test_a_mark_is_read_back() -> None:
    mark = DeletionMark(topic_id=TOPIC, deleted_ms=NOW_MS, goes_ms=NOW_MS + 1, version=3)
    assert decode_deletion_mark(encode_deletion_mark(mark), topic_id=TOPIC) == mark


def test_a_mark_of_an_older_version_does_not_tell_when_objects_go() -> None:
    mark = decode_deletion_mark(seal_json(FIELDS), topic_id=TOPIC)
    assert mark == DeletionMark(topic_id=TOPIC, deleted_ms=NOW_MS, goes_ms=None, version=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("topic_id", "00" * 16),
        ("deleted_ms", None),
        ("deleted_ms", True),
        ("goes_ms", "soon"),
        ("version", "3"),
    ],
)
def test_nonsense_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CorruptObjectError):
        decode_deletion_mark(seal_json({**FIELDS, name: value}), topic_id=TOPIC)
