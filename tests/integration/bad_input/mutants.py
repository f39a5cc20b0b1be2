"""Requests of every API and version, made from the declarations, each broken in one way."""

from random import Random
from typing import Any

from service.protocol.api import VERSIONS, ApiKey
from service.protocol.codec import encode_request
from service.protocol.errors import EncodeError
from service.protocol.registry import message_classes
from service.protocol.schema import Request
from service.protocol.schema_fields import Field, Shape
from tests.integration.bad_input.wire import a_batch

_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint16": 16, "uint32": 32}
_EXTREMES = (0, 1, -1, 2, -2, 5, 100)
_CHANGING = {ApiKey.CREATE_TOPICS, ApiKey.DELETE_TOPICS, ApiKey.CREATE_PARTITIONS}
"""These get no name of a topic that other frames are about."""

_NAMES = ("mutant-a", "mutant-b", "", ".", "x" * 300, "\0", "é€", "__consumer_offsets", "1")


class Mutants:
    """Makes broken frames, the same ones for the same seed.

    Args:
        seed: Of the randomness.
        topic: That exists and that data goes to.
        topic_id: Its id.
    """

    def __init__(self, *, seed: int, topic: str, topic_id: bytes) -> None:
        self._random = Random(seed)
        self._topic = topic
        self._topic_id = topic_id
        self._keys = list(VERSIONS)
        self._is_changing = False

    def frame(self) -> bytes:
        """Return the next frame, its size included; the size may be a lie."""
        whole = bytearray(self._valid())
        match self._random.randrange(6):
            case 0:
                pass  # one of its fields is odd already
            case 1:
                self._flip(whole)
            case 2:
                del whole[self._random.randrange(4, len(whole)) :]
                whole[:4] = (len(whole) - 4).to_bytes(4, "big")
            case 3:
                lie = self._random.choice((0, 1, len(whole) + 1000, 2**31 - 1, 2**32 - 1))
                whole[:4] = lie.to_bytes(4, "big")
            case 4:
                start = self._random.randrange(4, len(whole))
                whole[start : start + 4] = self._random.choice(
                    (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\xff\xff\xff\x0f")
                )
            case _:
                whole += self._random.randbytes(self._random.randrange(1, 40))
        return bytes(whole)

    def _flip(self, whole: bytearray) -> None:
        for _ in range(self._random.randint(1, 4)):
            whole[self._random.randrange(4, len(whole))] ^= 1 << self._random.randrange(8)

    def _valid(self) -> bytes:
        while True:
            key = self._random.choice(self._keys)
            versions = VERSIONS[key]
            version = self._random.randint(versions.first, versions.last)
            self._is_changing = key in _CHANGING
            request_class, _ = message_classes(key)
            try:
                request = self._struct(request_class, version)
                assert isinstance(request, Request)
                return b"".join(map(bytes, encode_request(request, key, version, 9, "mutant")))
            except EncodeError:
                continue  # an odd value that this version cannot carry

    def _struct(self, shape: type[Shape], version: int) -> Any:
        return shape(
            **{
                name: self._value(name, field, version)
                for name, field in shape.FIELDS.items()
                if version in field.versions
            }
        )

    def _value(self, name: str, field: Field, version: int) -> Any:
        random = self._random
        if field.is_nullable(version) and random.random() < 1 / 5:
            return None
        if field.kind == "array":
            assert field.element is not None
            count = random.choice((0, 1, 1, 1, 2, 3))
            return [self._value(name, field.element, version) for _ in range(count)]
        if field.kind == "struct":
            assert field.shape is not None
            return self._struct(field.shape, version)
        if field.kind in _BITS:
            return self._number(_BITS[field.kind])
        return self._scalar(field.kind)

    def _scalar(self, kind: str) -> Any:
        random = self._random
        make = {
            "bool": lambda: random.random() < 1 / 2,
            "uuid": lambda: random.choice((self._topic_id, bytes(16), random.randbytes(16))),
            "string": self._text,
            "bytes": lambda: random.randbytes(random.randrange(40)),
            "records": self._records,
            "float64": lambda: random.choice((0.0, -1.0, float("nan"), float("inf"))),
        }
        return make[kind]()

    def _text(self) -> str:
        if not self._is_changing and self._random.random() < 1 / 2:
            return self._topic
        return self._random.choice(_NAMES)

    def _records(self) -> bytes:
        batch = a_batch(self._random.randint(1, 3))
        if self._random.random() < 1 / 2:
            batch[self._random.randrange(len(batch))] ^= 1 << self._random.randrange(8)
        return bytes(batch)

    def _number(self, bits: int) -> int:
        if self._random.random() < 3 / 4:
            return self._random.choice(_EXTREMES)
        top = 2 ** (bits - 1)
        return self._random.choice((top - 1, -top, self._random.randrange(-top, top)))
