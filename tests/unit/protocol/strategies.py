"""Values of every message, made from its declaration, and the cases to run them on."""

from functools import cache
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from service.protocol.api import VERSIONS
from service.protocol.error_codes import ErrorCode
from service.protocol.registry import message_classes
from service.protocol.schema import Message, writer
from service.protocol.schema_fields import Field, Shape

TEXT_BYTES_ONE_VARINT_BYTE = 126

EXAMPLES_FEW = settings(max_examples=4, deadline=None, derandomize=True, database=None)
"""There are some 330 classes and versions, so that a few of each are many."""

MESSAGES = [message for key in VERSIONS for message in message_classes(key)]


def versions_of(message: type[Message]) -> range:
    """Every version of a message."""
    versions = VERSIONS[message.API_KEY]
    return range(versions.first, versions.last + 1)


CASES = [(message, version) for message in MESSAGES for version in versions_of(message)]
CASE_NAMES = [f"{message.__name__}-v{version}" for message, version in CASES]

_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
_TIMES = {"log_append_time_ms", "retention_time_ms"}
_TIME_MAX = 2**41

_texts = st.text(max_size=5) | st.just("é" * TEXT_BYTES_ONE_VARINT_BYTE)
_blobs = st.binary(max_size=5) | st.just(b"\xff" * 300)


@cache
def structs(shape: type[Shape], version: int) -> st.SearchStrategy[Any]:
    """Values of a struct or message; fields that others do not know there have their defaults."""
    return st.builds(
        shape,
        **{
            name: values(name, field, version)
            for name, field in shape.FIELDS.items()
            if version in field.versions and not field.is_private
        },
    )


def values(name: str, field: Field, version: int) -> st.SearchStrategy[Any]:
    """Values that a field can have in a version."""
    present = _present(name, field, version)
    if field.kind == "struct" and field.tag is not None:
        assert field.shape is not None
        empty = field.shape()
        # A tagged struct of nothing but defaults means none, and other codecs leave it out.
        return st.none() | present.filter(lambda value: value != empty)
    return st.none() | present if field.is_nullable(version) else present


def _present(name: str, field: Field, version: int) -> st.SearchStrategy[Any]:
    if field.kind == "array":
        assert field.element is not None
        return st.lists(values(name, field.element, version), max_size=2)
    if field.kind == "struct":
        assert field.shape is not None
        return structs(field.shape, version)
    if field.kind in _BITS:
        return _integers(name, _BITS[field.kind])
    return {
        "bool": st.booleans(),
        "uuid": st.binary(min_size=16, max_size=16),
        "string": _texts,
        "bytes": _blobs,
        "records": _blobs,
    }[field.kind]


def _integers(name: str, bits: int) -> st.SearchStrategy[int]:
    # kio reads these into types of its own, which hold nothing else.
    if name.endswith("error_code"):
        return st.sampled_from([int(code) for code in ErrorCode])
    if name in _TIMES:
        return st.just(-1) | st.integers(0, _TIME_MAX)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def encoded(value: Message, version: int) -> bytes:
    """Write a message, its buffers joined."""
    return b"".join(writer(type(value), version)(value, bytearray()))


def sample(shape: type[Shape], version: int, random: Random) -> Any:
    """Make one value, faster than Hypothesis does: for tests that go on to break it."""
    return shape(
        **{
            name: _sample(field, version, random)
            for name, field in shape.FIELDS.items()
            if version in field.versions
        }
    )


def _sample(field: Field, version: int, random: Random) -> Any:
    if field.is_nullable(version) and random.random() < 1 / 3:
        return None
    if field.kind == "array":
        assert field.element is not None
        return [_sample(field.element, version, random) for _ in range(random.randrange(3))]
    if field.kind == "struct":
        assert field.shape is not None
        return sample(field.shape, version, random)
    if field.kind in _BITS:
        return random.getrandbits(_BITS[field.kind] - 1)
    blob = random.randbytes(random.randrange(6))
    return {
        "bool": random.random() < 1 / 2,
        "uuid": random.randbytes(16),
        "string": blob.hex(),
        "bytes": blob,
        "records": blob,
    }[field.kind]
