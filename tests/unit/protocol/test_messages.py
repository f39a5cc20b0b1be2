"""One suite over every message of every API in every version."""

from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.protocol.api import VERSIONS, ApiKey, is_flexible
from service.protocol.error_codes import ErrorCode
from service.protocol.messages.api_versions import ApiVersionsResponse
from service.protocol.messages.fetch import FetchPartition, FetchRequest, FetchTopic
from service.protocol.primitives import Buffer
from service.protocol.registry import message_classes
from service.protocol.schema import Message, reader
from service.protocol.schema_fields import Field, Shape
from tests.unit.protocol import kafka_python_oracle, kio_oracle
from tests.unit.protocol.strategies import (
    CASE_NAMES,
    CASES,
    EXAMPLES_FEW,
    MESSAGES,
    encoded,
    structs,
    versions_of,
)

every_case = pytest.mark.parametrize(("message", "version"), CASES, ids=CASE_NAMES)
every_class = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)

_ANNOTATIONS = {
    "int8": int,
    "int16": int,
    "int32": int,
    "int64": int,
    "bool": bool,
    "uuid": bytes,
    "string": str,
}


def test_every_message_file_belongs_to_a_served_api() -> None:
    folder = Path(__file__).parents[3] / "service/protocol/messages"
    files = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert files == {key.name.lower() for key in VERSIONS}


def _shapes(shape: type[Shape]) -> set[type[Shape]]:
    inner = {
        field.shape or (field.element and field.element.shape) for field in shape.FIELDS.values()
    }
    return {shape}.union(*(_shapes(part) for part in inner if part))


def _plain(annotation: Any) -> tuple[Any, bool]:
    """Take None out of an annotation, and say whether it was there."""
    if get_origin(annotation) not in (UnionType, Union):
        return annotation, False
    members = get_args(annotation)
    rest = [member for member in members if member is not type(None)]
    return Union[tuple(rest)], len(rest) < len(members)  # noqa: UP007  # made at run time


def _expected(field: Field) -> Any:
    if field.kind == "array":
        assert field.element is not None
        return list[_expected(field.element)]  # type: ignore[misc]
    if field.kind == "struct":
        return field.shape
    return _ANNOTATIONS[field.kind]


@every_class
def test_annotations_say_what_is_declared(message: type[Message]) -> None:
    for shape in _shapes(message):
        for name, annotation in get_type_hints(shape).items():
            if name not in shape.FIELDS:
                continue
            field = shape.FIELDS[name]
            plain, nullable = _plain(annotation)
            if field.kind in ("bytes", "records"):
                assert plain in (Buffer, Buffer | Sequence[Buffer]), (shape, name)
            else:
                assert plain == _expected(field), (shape, name)
            assert nullable == (field.nullable is not None or field.default is None), (shape, name)


@every_class
def test_versions_of_a_part_lie_within_those_of_its_whole(message: type[Message]) -> None:
    served = VERSIONS[message.API_KEY]
    for shape in _shapes(message):
        for name, field in shape.FIELDS.items():
            assert field.versions.first <= served.last, (shape, name)
            assert field.versions.last >= served.first, (shape, name)
            if field.tag is not None:
                assert is_flexible(message.API_KEY, field.versions.first), (shape, name)


@every_class
def test_fields_are_declared_as_kafka_python_declares_them(message: type[Message]) -> None:
    for version in versions_of(message):
        assert kafka_python_oracle.differences(message, version) == [], version


@every_class
def test_bytes_around_a_message_are_left_alone(message: type[Message]) -> None:
    for version in versions_of(message):
        frame = encoded(message(), version)
        framed = b"\xff" * 7 + frame + b"\xff" * 3
        assert reader(message, version)(framed, 7) == (message(), 7 + len(frame)), version


@every_case
@EXAMPLES_FEW
@given(st.data())
def test_what_is_written_is_read_here_and_by_others(
    message: type[Message], version: int, data: st.DataObject
) -> None:
    value = data.draw(structs(message, version))
    if isinstance(value, ApiVersionsResponse):
        # kafka-python reads every error as one of version 0, as clients do (KIP-511).
        value.error_code = ErrorCode.NONE

    frame = encoded(value, version)

    assert reader(message, version)(frame, 0) == (value, len(frame))
    for oracle in (kafka_python_oracle, kio_oracle):
        assert oracle.encode(value, version) == frame
        assert oracle.decode(message, frame, version) == oracle.theirs(value, version)


@every_class
def test_unknown_tags_are_ignored(message: type[Message]) -> None:
    for version in versions_of(message):
        if is_flexible(message.API_KEY, version):
            frame = encoded(message(), version)
            assert frame[-1] == 0, version
            tagged = frame[:-1] + b"\x02\x63\x03abc\xe4\x01\x00"
            assert reader(message, version)(tagged, 0) == (message(), len(tagged)), version


@pytest.mark.parametrize("version", [12, 15, 17])
def test_others_pass_over_what_replicas_add(version: int) -> None:
    plain, more = (
        FetchRequest(
            topics=[FetchTopic(partitions=[FetchPartition(fetch_offset=5, synced_end=end)])]
        )
        for end in (-1, 4)
    )
    frame = encoded(more, version)
    assert reader(FetchRequest, version)(frame, 0)[0] == more
    theirs = kafka_python_oracle.decode(FetchRequest, frame, version)
    assert theirs == kafka_python_oracle.theirs(plain, version)


def test_the_stray_bytes_of_librdkafka_are_ignored() -> None:
    """Its `list_topics()` in version 12: null topics, two flags, no tags, and three bytes more."""
    request, _ = message_classes(ApiKey.METADATA)
    value, end = reader(request, 12)(bytes.fromhex("00 00 00 00 000000"), 0)
    assert end == 4
    assert value == request(topics=None, allow_auto_topic_creation=False)
