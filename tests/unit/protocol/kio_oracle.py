"""The same messages as kio has them."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any, get_args, get_type_hints
from uuid import UUID

from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer
from kio.static.primitive import Records

from service.protocol.schema import Message, Struct
from service.protocol.schema_fields import NO_UUID

_EPOCH = datetime.fromtimestamp(0, UTC)


def theirs(message: Message, version: int) -> Any:
    """Make kio's entity of the same fields."""
    return _entity(message, _class(type(message), version))


def encode(message: Message, version: int) -> bytes:
    buffer = BytesIO()
    entity_writer(_class(type(message), version))(buffer, theirs(message, version))
    return buffer.getvalue()


def decode(message: type[Message], frame: bytes, version: int) -> Any:
    value, _ = entity_reader(_class(message, version))(memoryview(frame), 0)
    return value


@cache
def _class(message: type[Message], version: int) -> Any:
    kind = "request" if message.__name__.endswith("Request") else "response"
    module = import_module(f"kio.schema.{message.API_KEY.name.lower()}.v{version}.{kind}")
    return getattr(module, message.__name__)


@cache
def _parts(entity: Any) -> list[tuple[str, str, Any]]:
    """The fields of an entity: name, Kafka's or kio's type of it, class of what it holds."""
    hints = get_type_hints(entity)
    return [
        (field.name, field.metadata.get("kafka_type", "entity"), _inner(hints[field.name]))
        for field in fields(entity)
    ]


def _inner(hint: Any) -> Any:
    if is_dataclass(hint):
        return hint
    return next((found for found in map(_inner, get_args(hint)) if found), None)


def _entity(value: Struct, entity: Any) -> Any:
    given = {}
    for name, kind, inner in _parts(entity):
        ours = name if name in value.FIELDS else f"{name}_ms"
        mine = getattr(value, ours)
        # A tagged struct that is absent is one of defaults to kio, and its own default.
        if mine is not None or value.FIELDS[ours].tag is None:
            given[name] = _value(mine, kind, inner)
    return entity(**given)


def _value(value: Any, kind: str, inner: Any) -> Any:  # noqa: C901, PLR0911  # one line a type
    if isinstance(value, list):
        return tuple(_value(item, kind, inner) for item in value)
    if value is None:
        return None
    match kind:
        case "entity":
            return _entity(value, inner)
        case "error_code":
            return ErrorCode(value)
        case "timedelta_i32" | "timedelta_i64":
            return timedelta(milliseconds=value)
        case "datetime_i64":
            return None if value == -1 else _EPOCH + timedelta(milliseconds=value)
        case "uuid":
            return None if value == NO_UUID else UUID(bytes=value)
        case "records":
            return Records(value)
        case _:
            return value
