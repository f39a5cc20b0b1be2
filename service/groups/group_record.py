"""Records of group membership in ``__consumer_offsets``, byte for byte as Kafka writes them.

```
key    version 2: int16 version, string group
value  int16 version, string protocol type, int32 generation, nullable string protocol,
       nullable string leader, [version 2+: int64 time of the last state change], members
member string member id, [3+: nullable string instance id], string client id, string client host,
       [1+: int32 rebalance timeout], int32 session timeout, bytes subscription, bytes assignment
```
Version 4 is the same with compact types and tagged fields. Version 3 is written, as Kafka does.
A record without a value removes the group.
"""

from dataclasses import dataclass

from everlog.model.errors import CorruptionError
from service.groups.cursor import (
    Cursor,
    int16,
    int32,
    int64,
    nullable_string,
    sized_bytes,
    string,
)

KEY_VERSION = b"\x00\x02"
"""How keys of this kind begin."""

_VERSION_WRITTEN = 3
_VERSION_OF_REBALANCE_TIMEOUT = 1
_VERSION_OF_STATE_TIME = 2
_VERSION_OF_INSTANCE_ID = 3
_VERSION_FLEXIBLE = 4
_NO_TIME = -1
_MEMBER_BYTES_MIN = 15
"""Of an empty member in version 4, the densest; bounds the count that is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMember:
    """A member as it is written down.

    Attributes:
        subscription: Its metadata for the protocol that the group has chosen.
        rebalance_timeout_ms: The session timeout, where an old record has none.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGroup:
    """A group as it is written down: one generation, with what each member was given.

    Attributes:
        protocol_type: ``consumer`` for consumers; None for a group that never had members.
        state_changed_ms: By the wall clock; None in old records.
    """

    protocol_type: str | None
    generation: int
    protocol: str | None
    leader: str | None
    state_changed_ms: int | None
    members: tuple[StoredMember, ...]


def encode_group_key(group_id: str) -> bytes:
    """Write the key of a group."""
    return KEY_VERSION + string(group_id)


def decode_group_key(key: bytes) -> str:
    """Read the group id from the key of a group.

    Raises:
        CorruptionError: It is not such a key.
    """
    cursor = Cursor(key)
    cursor.int16()
    group_id = cursor.string()
    cursor.finish()
    return group_id


def encode_group_value(group: StoredGroup) -> bytes:
    """Write the value of a group."""
    changed_ms = _NO_TIME if group.state_changed_ms is None else group.state_changed_ms
    head = (
        int16(_VERSION_WRITTEN),
        string(group.protocol_type or ""),
        int32(group.generation),
        nullable_string(group.protocol),
        nullable_string(group.leader),
        int64(changed_ms),
        int32(len(group.members)),
    )
    return b"".join(head) + b"".join(map(_encode_member, group.members))


def decode_group_value(value: bytes) -> StoredGroup:
    """Read the value of a group, in any version.

    Raises:
        CorruptionError: It is not one.
    """
    cursor = Cursor(value)
    version = cursor.int16()
    if not 0 <= version <= _VERSION_FLEXIBLE:
        raise CorruptionError(f"no group has a value of version {version}")
    flexible = version == _VERSION_FLEXIBLE
    protocol_type = cursor.compact_string() if flexible else cursor.string()
    generation = cursor.int32()
    protocol = _nullable(cursor, flexible=flexible)
    leader = _nullable(cursor, flexible=flexible)
    changed_ms = cursor.int64() if version >= _VERSION_OF_STATE_TIME else _NO_TIME
    count = cursor.count(compact=flexible, element_bytes_min=_MEMBER_BYTES_MIN)
    members = tuple(_decode_member(cursor, version) for _ in range(count))
    if flexible:
        cursor.tagged_fields()
    cursor.finish()
    return StoredGroup(
        protocol_type=protocol_type or None,
        generation=generation,
        protocol=protocol,
        leader=leader,
        state_changed_ms=None if changed_ms == _NO_TIME else changed_ms,
        members=members,
    )


def _encode_member(member: StoredMember) -> bytes:
    return b"".join(
        (
            string(member.member_id),
            nullable_string(member.instance_id),
            string(member.client_id),
            string(member.client_host),
            int32(member.rebalance_timeout_ms),
            int32(member.session_timeout_ms),
            sized_bytes(member.subscription),
            sized_bytes(member.assignment),
        )
    )


def _decode_member(cursor: Cursor, version: int) -> StoredMember:
    flexible = version == _VERSION_FLEXIBLE
    text = cursor.compact_string if flexible else cursor.string
    sized = cursor.compact_bytes if flexible else cursor.sized_bytes
    member_id = text()
    has_instance_id = version >= _VERSION_OF_INSTANCE_ID
    instance_id = _nullable(cursor, flexible=flexible) if has_instance_id else None
    client_id, client_host = text(), text()
    rebalance_ms = cursor.int32() if version >= _VERSION_OF_REBALANCE_TIMEOUT else _NO_TIME
    session_ms = cursor.int32()
    subscription, assignment = sized(), sized()
    if flexible:
        cursor.tagged_fields()
    return StoredMember(
        member_id=member_id,
        instance_id=instance_id,
        client_id=client_id,
        client_host=client_host,
        rebalance_timeout_ms=session_ms if rebalance_ms == _NO_TIME else rebalance_ms,
        session_timeout_ms=session_ms,
        subscription=subscription,
        assignment=assignment,
    )


def _nullable(cursor: Cursor, *, flexible: bool) -> str | None:
    return cursor.compact_nullable_string() if flexible else cursor.nullable_string()
