"""Records of committed offsets in ``__consumer_offsets``, byte for byte as Kafka writes them.

```
key    version 0-1: int16 version, string group, string topic, int32 partition
value  version 0, 2: int16 version, int64 offset, string metadata, int64 committed at
       version 1: as 0, int64 expires at
       version 3: int16 version, int64 offset, int32 leader epoch, string metadata,
                  int64 committed at
       version 4: as 3, with compact strings and tagged fields; tag 0 is the topic id
```
A record without a value removes the offset. Version 1 is written when the client asked for an
expiry of its own, version 4 when it named the topic by its id, and version 3, which all tools read,
otherwise.
"""

import struct
from dataclasses import dataclass

from everlog.model.errors import CorruptionError
from everlog.model.ids import NO_TOPIC_ID, TopicId, TopicName
from everlog.model.offsets import LeaderEpoch, Offset
from service.groups.cursor import Cursor, compact_string, int64, string, uvarint

KEY_VERSIONS = (b"\x00\x00", b"\x00\x01")
"""How keys of this kind begin. Kafka writes version 1; version 0 is from before 0.9."""

_KEY_START = b"\x00\x01"
_GROUP_AT = 4
_NO_EPOCH = -1
_NO_EXPIRY = -1
_TOPIC_ID_TAG = 0
_TOPIC_ID_BYTES = 16
_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")
_INT64 = struct.Struct(">q")
_VALUE_3 = struct.Struct(">hqih")
_VALUE_3_START = b"\x00\x03"
_VALUE_4 = struct.Struct(">hqi")
_VALUE_WITHOUT_EPOCH = struct.Struct(">hq")
_VERSION_OF_EXPIRY = 1
_VERSION_OF_EPOCH = 3
_VERSION_OF_TOPIC_ID = 4


@dataclass(frozen=True, slots=True)
class OffsetKey:
    """Whose offset it is."""

    group_id: str
    topic: TopicName
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedOffset:
    """How far a group has read in one partition.

    Attributes:
        offset: The next one to read.
        leader_epoch: Of the last record that was read (KIP-320).
        metadata: What the client noted with it.
        committed_ms: When, by the wall clock.
        expires_ms: When it may be forgotten, if the client said so (OffsetCommit 2 to 4).
        topic_id: The topic that is meant, if the client named it by id (OffsetCommit 10).
    """

    offset: Offset
    leader_epoch: LeaderEpoch | None = None
    metadata: str = ""
    committed_ms: int
    expires_ms: int | None = None
    topic_id: TopicId | None = None


def encode_offset_key(group_id: str, topic: TopicName, partition: int) -> bytes:
    """Write the key of an offset."""
    return _KEY_START + string(group_id) + string(topic) + _INT32.pack(partition)


def decode_offset_key(key: bytes) -> OffsetKey:
    """Read the key of an offset.

    Raises:
        CorruptionError: It is not one.
    """
    try:
        group_end = _GROUP_AT + _INT16.unpack_from(key, _GROUP_AT - 2)[0]
        topic_at = group_end + 2
        topic_end = topic_at + _INT16.unpack_from(key, group_end)[0]
        (partition,) = _INT32.unpack_from(key, topic_end)
        group_id = key[_GROUP_AT:group_end].decode()
        topic = key[topic_at:topic_end].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptionError(f"the key of an offset cannot be read: {error}") from error
    # Together they also rule out negative lengths, which would make the slices overlap.
    if not _GROUP_AT <= group_end < topic_at <= topic_end or topic_end + 4 != len(key):
        raise CorruptionError("the lengths in the key of an offset contradict each other")
    return OffsetKey(group_id, TopicName(topic), partition)


def encode_offset_value(committed: CommittedOffset) -> bytes:
    """Write the value of an offset, in the version that can hold it."""
    epoch = _NO_EPOCH if committed.leader_epoch is None else committed.leader_epoch
    if committed.expires_ms is not None:
        return (
            _VALUE_WITHOUT_EPOCH.pack(_VERSION_OF_EXPIRY, committed.offset)
            + string(committed.metadata)
            + int64(committed.committed_ms)
            + int64(committed.expires_ms)
        )
    if committed.topic_id is not None:
        return (
            _VALUE_4.pack(_VERSION_OF_TOPIC_ID, committed.offset, epoch)
            + compact_string(committed.metadata)
            + int64(committed.committed_ms)
            + uvarint(1)
            + uvarint(_TOPIC_ID_TAG)
            + uvarint(_TOPIC_ID_BYTES)
            + committed.topic_id
        )
    metadata = committed.metadata.encode()
    head = _VALUE_3.pack(_VERSION_OF_EPOCH, committed.offset, epoch, len(metadata))
    return head + metadata + _INT64.pack(committed.committed_ms)


def decode_offset_value(value: bytes) -> CommittedOffset:
    """Read the value of an offset, in any version.

    Raises:
        CorruptionError: It is not one.
    """
    if value[:2] == _VALUE_3_START:
        return _decode_value_3(value)
    cursor = Cursor(value)
    version = cursor.int16()
    if not 0 <= version <= _VERSION_OF_TOPIC_ID:
        raise CorruptionError(f"no offset has a value of version {version}")
    offset = cursor.int64()
    epoch = cursor.int32() if version >= _VERSION_OF_EPOCH else _NO_EPOCH
    flexible = version >= _VERSION_OF_TOPIC_ID
    metadata = cursor.compact_string() if flexible else cursor.string()
    committed_ms = cursor.int64()
    expires_ms = cursor.int64() if version == _VERSION_OF_EXPIRY else _NO_EXPIRY
    topic_id = _topic_id(cursor) if flexible else None
    cursor.finish()
    return CommittedOffset(
        offset=Offset(offset),
        leader_epoch=None if epoch == _NO_EPOCH else LeaderEpoch(epoch),
        metadata=metadata,
        committed_ms=committed_ms,
        expires_ms=None if expires_ms == _NO_EXPIRY else expires_ms,
        topic_id=topic_id,
    )


def _decode_value_3(value: bytes) -> CommittedOffset:
    """Read what nearly all values are, in half the time: a start may have a million to read."""
    try:
        _, offset, epoch, length = _VALUE_3.unpack_from(value)
        end = _VALUE_3.size + length
        metadata = value[_VALUE_3.size : end].decode()
        (committed_ms,) = _INT64.unpack_from(value, end)
    except (struct.error, UnicodeDecodeError) as error:
        raise CorruptionError(f"the value of an offset cannot be read: {error}") from error
    if length < 0 or end + _INT64.size != len(value):
        raise CorruptionError("the lengths in the value of an offset contradict each other")
    return CommittedOffset(
        offset=Offset(offset),
        leader_epoch=None if epoch == _NO_EPOCH else LeaderEpoch(epoch),
        metadata=metadata,
        committed_ms=committed_ms,
    )


def _topic_id(cursor: Cursor) -> TopicId | None:
    raw = cursor.tagged_fields().get(_TOPIC_ID_TAG)
    if raw is None:
        return None
    if len(raw) != _TOPIC_ID_BYTES:
        raise CorruptionError(f"a topic id has {len(raw)} bytes")
    return None if raw == NO_TOPIC_ID else TopicId(raw)
