"""The same messages as kafka-python has them."""

import warnings
from typing import Any
from uuid import UUID

from service.protocol.schema import Message, Struct
from service.protocol.schema_fields import NO_UUID, OPERATIONS_UNKNOWN, Field, Shape

with warnings.catch_warnings():
    # It reads its schemas by functions of the standard library that are deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer
    from kafka.protocol.api_message import ApiMessage
    from kafka.protocol.schemas.fields.codecs import BitField

_CLASSES: dict[str, Any] = {
    name: value
    for module in (
        kafka.protocol.admin,
        kafka.protocol.consumer,
        kafka.protocol.metadata,
        kafka.protocol.producer,
    )
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, ApiMessage)
}


def differences(message: type[Message], version: int) -> list[str]:
    """Name the fields of a message, and of its parts, that kafka-python declares otherwise."""
    peer = _CLASSES[message.__name__]
    return _differences(message, peer.fields, version)


def theirs(message: Message, version: int) -> Any:
    """Make kafka-python's message of the same fields; those of default values get its defaults."""
    peer = _CLASSES[type(message).__name__]
    return peer(version=version, **_set_fields(message, peer.fields))


def encode(message: Message, version: int) -> bytes:
    return bytes(theirs(message, version).encode())


def decode(message: type[Message], frame: bytes, version: int) -> Any:
    return _CLASSES[message.__name__].decode(frame, version=version)


def _set_fields(value: Struct, peer_fields: dict[str, Any]) -> dict[str, Any]:
    return {
        _name(name, peer_fields): _value(
            getattr(value, name), peer_fields[_name(name, peer_fields)]
        )
        for name, field in value.FIELDS.items()
        if getattr(value, name) != field.default
    }


def _name(field: str, peer_fields: dict[str, Any]) -> str:
    # One name is patched: to kafka-python, all authorized operations are just that.
    return field if field in peer_fields else "authorized_operations"


def _value(value: Any, peer_field: Any) -> Any:
    if value is None or value == NO_UUID:
        return None
    if isinstance(value, list):
        return [_value(item, peer_field.array_of) for item in value]
    if isinstance(value, Struct):
        return peer_field.data_class(**_set_fields(value, peer_field.fields))
    if peer_field.type_str == "uuid":
        return UUID(bytes=value)
    if peer_field.type_str == "bitfield":
        bits = BitField.from_32_bit_field(value & 0xFFFFFFFF)
        return None if bits == {31} else bits
    return value


def _differences(shape: type[Shape], peer_fields: dict[str, Any], version: int) -> list[str]:
    ours = {
        _name(name, peer_fields): field
        for name, field in shape.FIELDS.items()
        if version in field.versions and not field.is_private
    }
    theirs = {name: peer for name, peer in peer_fields.items() if peer.for_version_q(version)}
    found = [f"{shape.__name__}.{name}" for name in ours.keys() ^ theirs.keys()]
    for name in ours.keys() & theirs.keys():
        field, peer = ours[name], theirs[name]
        if _traits(field, version) != _peer_traits(peer, version):
            found.append(f"{shape.__name__}.{name}")
        part = field.shape or (field.element and field.element.shape)
        if part:
            found += _differences(part, peer.fields, version)
    return found


def _traits(field: Field, version: int) -> tuple[object, ...]:
    kind = field.element.kind if field.element else field.kind
    default = None if field.default == NO_UUID else field.default
    return kind, field.is_nullable(version), field.tag, default, field.kind == "array"


def _peer_traits(peer: Any, version: int) -> tuple[object, ...]:
    kind = peer.array_of.type_str if peer.is_array() else peer.type_str
    default = peer.default
    if kind == "bitfield":
        kind, default = "int32", OPERATIONS_UNKNOWN
    elif kind[0].isupper():
        kind = "struct"
    if peer.is_array() and default is not None:
        default = ()
    return kind, peer.nullable_for_version_q(version), peer.tag, default, peer.is_array()
