"""The words in which messages are declared: a field of each wire type, with its versions.

Version ranges are written as Kafka's protocol guide writes them: ``"3+"``, ``"0-12"``, ``"1"``; a
field without one is in every version of its message. Each function returns ``Any``, because it
stands where an attribute of the annotated type will be; the test suite checks each annotation
against its wire type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Protocol

from service.protocol.api import VersionRange

FIXED_FORMATS: Mapping[str, str] = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint16": "H",
    "uint32": "I",
    "bool": "?",
    "float64": "d",
    "uuid": "16s",
}
"""Wire types of a fixed size, in the letters of the `struct` module."""

NO_UUID = bytes(16)
OPERATIONS_UNKNOWN = -(2**31)
"""Authorized operations that were not asked for (KIP-430)."""

_VERSION_MAX = 2**15 - 1


class Shape(Protocol):
    """A class whose attributes are declared fields."""

    FIELDS: ClassVar[Mapping[str, "Field"]]


PRIVATE_TAG_FIRST = 10_000
"""Kafka numbers its tags from 0, field by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One declared field.

    Attributes:
        kind: A key of `FIXED_FORMATS`, or ``string``, ``bytes``, ``records``, ``array``,
        ``struct``. versions: Where the field is on the wire. nullable: Where it may be null. tag:
        Its number, if it is a tagged field wherever it exists (KIP-482). default: What it holds
        where nothing is given; ``()`` stands for a new list. ignorable: Whether a version that
        lacks it may be written although it is set. element: Of an array. shape: Of a struct.
    """

    kind: str
    versions: VersionRange
    nullable: VersionRange | None = None
    tag: int | None = None
    default: Any
    ignorable: bool = True
    element: "Field | None" = None
    shape: type[Shape] | None = None

    @property
    def is_private(self) -> bool:
        """Whether the field is Everlog's own; others pass over a tag that they do not know."""
        return self.tag is not None and self.tag >= PRIVATE_TAG_FIRST

    def is_nullable(self, version: int) -> bool:
        """Whether null is a value of the field in this version."""
        return self.nullable is not None and version in self.nullable


@cache
def version_range(text: str) -> VersionRange:
    """Read ``"3+"``, ``"0-12"`` or ``"1"``."""
    if text.endswith("+"):
        return VersionRange(int(text[:-1]), _VERSION_MAX)
    first, _, last = text.partition("-")
    return VersionRange(int(first), int(last or first))


def int8(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a signed byte."""
    return _field("int8", versions, default, tag=tag, ignorable=ignorable)


def int16(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a signed 16-bit integer."""
    return _field("int16", versions, default, tag=tag, ignorable=ignorable)


def int32(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a signed 32-bit integer."""
    return _field("int32", versions, default, tag=tag, ignorable=ignorable)


def int64(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a signed 64-bit integer."""
    return _field("int64", versions, default, tag=tag, ignorable=ignorable)


def uint16(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare an unsigned 16-bit integer."""
    return _field("uint16", versions, default, tag=tag, ignorable=ignorable)


def uint32(
    versions: str = "0+", *, default: int = 0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare an unsigned 32-bit integer."""
    return _field("uint32", versions, default, tag=tag, ignorable=ignorable)


def float64(
    versions: str = "0+", *, default: float = 0.0, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a double."""
    return _field("float64", versions, default, tag=tag, ignorable=ignorable)


def boolean(
    versions: str = "0+", *, default: bool = False, tag: int | None = None, ignorable: bool = True
) -> Any:
    """Declare a boolean: one byte, and every byte but zero is true."""
    return _field("bool", versions, default, tag=tag, ignorable=ignorable)


def uuid(versions: str = "0+", *, tag: int | None = None) -> Any:
    """Declare sixteen bytes; all zero stands for none."""
    return _field("uuid", versions, NO_UUID, tag=tag)


def string(
    versions: str = "0+",
    *,
    nullable: str | None = None,
    default: str | None = "",
    tag: int | None = None,
    ignorable: bool = True,
) -> Any:
    """Declare UTF-8 text."""
    return _field("string", versions, default, nullable=nullable, tag=tag, ignorable=ignorable)


def binary(versions: str = "0+", *, nullable: str | None = None) -> Any:
    """Declare bytes. Read, they are a slice of the frame: copy what outlives the request."""
    return _field("bytes", versions, b"", nullable=nullable)


def record_batches(versions: str = "0+", *, nullable: str | None = None) -> Any:
    """Declare record batches, opaque. Read, they are a slice of the frame.

    Written, they are passed by reference; they may be several buffers, which then follow each
    other.
    """
    return _field("records", versions, b"", nullable=nullable)


def array(
    element: Any,
    versions: str = "0+",
    *,
    nullable: str | None = None,
    default: tuple[()] | None = (),
    tag: int | None = None,
    ignorable: bool = True,
) -> Any:
    """Declare an array of a struct class, or of what one of the functions above returns."""
    inner = element if isinstance(element, Field) else struct(element)
    return _field(
        "array", versions, default, nullable=nullable, tag=tag, ignorable=ignorable, element=inner
    )


def struct(
    shape: type[Shape], versions: str = "0+", *, nullable: str | None = None, tag: int | None = None
) -> Any:
    """Declare a single struct, tagged or nullable; None where it is absent, and so by default."""
    return _field("struct", versions, None, nullable=nullable, tag=tag, shape=shape)


def _field(
    kind: str, versions: str, default: object, *, nullable: str | None = None, **options: Any
) -> Any:
    return Field(
        kind=kind,
        versions=version_range(versions),
        nullable=version_range(nullable) if nullable else None,
        default=default,
        **options,
    )
