"""Messages, declared once for all versions; readers and writers, compiled per version on first use.

A message is a class whose attributes are assigned the declarations of `schema_fields`::

    class ProduceRequest(Request, api=ApiKey.PRODUCE):
        acks: int = int16()
        topic_data: list[TopicProduceData] = array(TopicProduceData)

It has slots and a keyword-only constructor in which every field has a default, is mutable, and
compares by value. A field that a version lacks holds its default when read, and is left out when
written.

This module alone runs generated code. It is made of the names and numbers of the declarations; no
byte from the wire gets into it.
"""

from collections.abc import Callable, Mapping
from struct import error as StructError  # noqa: N812  # it is an exception, and should look it
from sys import maxsize
from typing import Any, ClassVar, Protocol, TypeVar, cast, dataclass_transform

from service.protocol.api import VERSIONS, ApiKey, is_flexible
from service.protocol.errors import EncodeError, ProtocolError
from service.protocol.primitives import ARRAY_ELEMENTS_MAX, Buffer
from service.protocol.schema_fields import Field
from service.protocol.schema_reader import ReaderSource
from service.protocol.schema_source import Source
from service.protocol.schema_writer import WriterSource

# `typing.override` begins with Python 3.12, and this package imports the standard library alone.
# mypy: disable-error-code="explicit-override"


@dataclass_transform(kw_only_default=True)
class Declared(type):
    """The class of message classes: turns declared fields into slots."""

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any
    ) -> "Declared":
        fields = {key: value for key, value in namespace.items() if isinstance(value, Field)}
        rest = {key: value for key, value in namespace.items() if key not in fields}
        slotted = {**rest, "__slots__": tuple(fields), "FIELDS": fields}
        return super().__new__(cls, name, bases, slotted, **options)


class Struct(metaclass=Declared):
    """A part of a message."""

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    __hash__ = None  # type: ignore[assignment]  # mutable values have no hash

    def __init__(self, **values: Any) -> None:
        # Most classes are read or written in few places of a process: the constructor is compiled
        # when it is first called, and replaces this one.
        compiled = _compile_constructor(type(self))
        type.__setattr__(type(self), "__init__", compiled)
        compiled(self, **values)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.FIELDS
        )

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({values})"


class Message(Struct):
    """The body of a request or a response."""

    API_KEY: ClassVar[ApiKey]
    ELEMENTS_MAX: ClassVar[int] = maxsize

    def __init_subclass__(cls, api: ApiKey | None = None) -> None:
        if api is not None:
            cls.API_KEY = api


class Request(Message):
    """The body of a request, from whoever reaches a listener: the work of reading it is bounded."""

    ELEMENTS_MAX = ARRAY_ELEMENTS_MAX


class Response(Message):
    """The body of a response, from a server that was chosen: its size alone bounds the work.

    Who does not trust it that far gives the reader a bound.
    """


MessageT = TypeVar("MessageT", bound=Message)
ReadT_co = TypeVar("ReadT_co", bound=Message, covariant=True)


class Reader(Protocol[ReadT_co]):
    """Reads one version of a message."""

    def __call__(
        self, frame: Buffer, position: int, elements_max: int = ...
    ) -> tuple[ReadT_co, int]:
        """Read a message at a position of a frame; return it, and the position after it.

        Bytes and records are slices of the frame. Without ``elements_max`` the bound is that of
        the message's class.

        Raises:
            ProtocolError: The frame holds something else, whatever it is.
        """
        ...


Writer = Callable[[MessageT, bytearray], list[Buffer]]
"""Appends a message to a bytearray; returns the buffers to send, that bytearray first.

Record batches are among the buffers as they were given. Raises `EncodeError` for a value that the
version cannot carry; then the bytearray holds a part of the message.
"""

_readers: dict[tuple[type[Message], int], Reader[Any]] = {}
_writers: dict[tuple[type[Message], int], Writer[Any]] = {}


def reader(message: type[MessageT], version: int) -> Reader[MessageT]:
    """Return the reader of one version of a message.

    Raises:
        ProtocolError: The message has no such version.
    """
    known = _readers.get((message, version))
    if known is None:
        known = _readers[message, version] = _compile_reader(message, version)
    return known


def writer(message: type[MessageT], version: int) -> Writer[MessageT]:
    """Return the writer of one version of a message.

    Raises:
        ProtocolError: The message has no such version.
    """
    known = _writers.get((message, version))
    if known is None:
        known = _writers[message, version] = _compile_writer(message, version)
    return known


def _compile_reader(message: type[MessageT], version: int) -> Reader[MessageT]:
    source = ReaderSource(version, flexible=_is_flexible(message, version))
    text, constants = source.message(message)
    generated = cast("Reader[MessageT]", _run(text, constants, "read"))

    def read(
        frame: Buffer, position: int, elements_max: int = message.ELEMENTS_MAX
    ) -> tuple[MessageT, int]:
        try:
            return generated(frame, position, elements_max)
        except (IndexError, StructError) as error:
            raise ProtocolError(f"{message.__name__} v{version} ends early") from error
        except UnicodeDecodeError as error:
            raise ProtocolError(f"{message.__name__} v{version}: text is not UTF-8") from error

    return read


def _compile_writer(message: type[MessageT], version: int) -> Writer[MessageT]:
    source = WriterSource(version, flexible=_is_flexible(message, version))
    text, constants = source.message(message)
    generated = cast("Writer[MessageT]", _run(text, constants, "write"))

    def write(value: MessageT, head: bytearray) -> list[Buffer]:
        try:
            return generated(value, head)
        except (StructError, TypeError, AttributeError, UnicodeEncodeError) as error:
            raise EncodeError(f"{message.__name__} v{version} cannot carry it: {error}") from error

    return write


def _is_flexible(message: type[Message], version: int) -> bool:
    if version not in VERSIONS[message.API_KEY]:
        raise ProtocolError(f"{message.__name__} has no version {version}")
    return is_flexible(message.API_KEY, version)


def _compile_constructor(shape: type[Struct]) -> Callable[..., None]:
    source = Source({"absent": object()})
    parameters = [
        f"{name}={'absent' if field.default == () else repr(field.default)}"
        for name, field in shape.FIELDS.items()
    ]
    signature = ", ".join(["self", "*", *parameters] if parameters else ["self"])
    with source.block(f"def __init__({signature}):"):
        source.line("pass")
        for name, field in shape.FIELDS.items():
            value = f"[] if {name} is absent else {name}" if field.default == () else name
            source.line(f"self.{name} = {value}")
    return _run(source.text(), source.constants, "__init__")


def _run(text: str, constants: Mapping[str, object], name: str) -> Callable[..., Any]:
    namespace = dict(constants)
    exec(text, namespace)  # noqa: S102  # D4: here alone
    return cast("Callable[..., Any]", namespace[name])
