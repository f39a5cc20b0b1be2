"""What the archive knows of a topic: its name and settings, so that a bucket alone restores it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from everlog.format.errors import CorruptObjectError
from everlog.format.sealed_json import seal_json, unseal_json
from everlog.model.ids import TopicId, TopicName

RECORD_BYTES_MAX = 1 << 20
"""A node of the metadata tree, from which a record is made, is smaller."""

PARTITIONS_MAX = 1 << 20
"""Far more than a topic can have; what claims more is damaged."""

CLONED_FROM = "cloned_from"
"""Key among `TopicRecord.extra`, as of a topic's node: what a clone was made from."""

_FORMAT = 1
_WHAT = "topic record"
_KNOWN = frozenset({"format", "name", "topic_id", "partitions", "config", "created_ms"})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRecord:
    """A topic at one version.

    Attributes:
        config: All of the topic's own settings, those that nobody here knows included.
        created_ms: When the record was made.
        extra: Keys written by a newer version; they are kept.
    """

    name: TopicName
    topic_id: TopicId
    partitions: int
    config: Mapping[str, str]
    created_ms: int
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


def encode_topic_record(record: TopicRecord) -> bytes:
    """Write the bytes of the object."""
    return seal_json(
        {
            **record.extra,
            "format": _FORMAT,
            "name": record.name,
            "topic_id": record.topic_id.hex(),
            "partitions": record.partitions,
            "config": dict(record.config),
            "created_ms": record.created_ms,
        }
    )


def decode_topic_record(content: bytes, *, topic_id: TopicId) -> TopicRecord:
    """Read the bytes of the object that was found below the topic's name.

    Raises:
        CorruptObjectError: They are not what `encode_topic_record` writes, or another topic's.
        UnsupportedFormatError: A later version wrote them.
    """
    fields = unseal_json(content, what=_WHAT, format_max=_FORMAT)
    try:
        record = TopicRecord(
            name=TopicName(fields["name"]),
            topic_id=TopicId(bytes.fromhex(fields["topic_id"])),
            partitions=fields["partitions"],
            config=fields["config"],
            created_ms=fields["created_ms"],
            extra={key: value for key, value in fields.items() if key not in _KNOWN},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptObjectError(_WHAT, f"{type(error).__name__}: {error}") from error
    if record.topic_id != topic_id:
        raise CorruptObjectError(_WHAT, f"it is about topic {record.topic_id.hex()}")
    if fault := _fault(record):
        raise CorruptObjectError(_WHAT, fault)
    return record


def _fault(record: TopicRecord) -> str | None:
    if type(record.partitions) is not int or not 0 < record.partitions <= PARTITIONS_MAX:
        return f"it has {record.partitions!r} partitions"
    if type(record.created_ms) is not int or not isinstance(record.name, str):
        return "its name or its time is none"
    config = record.config
    if not isinstance(config, dict) or not all(isinstance(each, str) for each in config.values()):
        return "its settings are no texts by name"
    return None
