"""Writes the text of a writer: an object in, the bytes of one version of its message out.

The generated code is flat, as the readers are: neighbouring fields of a fixed size are one
`pack`, with the length of the string or array after them. Its names: ``m`` the message, ``b`` the
bytearray that is being filled, ``out`` the buffers that are done. Record batches end ``b``, join
``out`` uncopied, and a new ``b`` goes on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct

from service.protocol import primitives
from service.protocol.schema_fields import FIXED_FORMATS, Field, Shape
from service.protocol.schema_source import Source

_ZERO_BYTE = "x"


class WriterSource:
    """Generates ``write(m, b) -> out`` for one version of one message."""

    def __init__(self, version: int, *, flexible: bool) -> None:
        self._version = version
        self._flexible = flexible
        self._run: list[tuple[str, str]] = []
        self._source = Source(
            {
                "buffer_types": frozenset({bytes, bytearray, memoryview}),
                "varint": primitives.varint_bytes,
                "tag_section": primitives.tag_section,
                "number_bytes": primitives.number_bytes,
                "refuse_field": primitives.refuse_field,
            }
        )

    def message(self, shape: type[Shape]) -> tuple[str, dict[str, object]]:
        """Return the function's text and the constants that it needs."""
        source = self._source
        with source.block("def write(m, b):"):
            source.line("out = []")
            self._struct(shape, "m")
            self._flush()
            with source.block("if b:"):
                source.line("out.append(b)")
            source.line("return out")
        return source.text(), source.constants

    def _struct(self, shape: type[Shape], value: str) -> None:
        tagged = []
        for name, field in shape.FIELDS.items():
            attribute = f"{value}.{name}"
            if self._version not in field.versions:
                if not field.ignorable:
                    self._refuse_if_set(field, attribute, f"{shape.__name__}.{name}")
            elif field.tag is not None:
                tagged.append((field, attribute))
            else:
                self._value(field, attribute)
        if self._flexible:
            self._tags(tagged)

    def _refuse_if_set(self, field: Field, attribute: str, label: str) -> None:
        with self._source.block(f"if {_is_set(field, attribute)}:"):
            self._source.line(f"refuse_field({label!r})")

    def _value(self, field: Field, value: str) -> None:
        letter = FIXED_FORMATS.get(field.kind)
        if letter:
            self._run.append((letter, value))
        elif field.kind == "array":
            self._array(field, value)
        elif field.kind == "struct":
            self._optional_struct(field, value)
        elif field.kind == "records":
            self._records(field, value)
        else:
            self._text(field, value)

    def _pack(self, run: list[tuple[str, str]]) -> str:
        """Return the expression for the bytes of a run."""
        letters = "".join(letter for letter, _ in run)
        name = "pack_" + letters.replace("?", "o")
        self._source.constants.setdefault(name, Struct(">" + letters).pack)
        return f"{name}({', '.join(value for letter, value in run if letter != _ZERO_BYTE)})"

    def _flush(self) -> None:
        """Write the fixed-size values that have gathered."""
        run, self._run = self._run, []
        if len(run) == 1 and run[0][0] == _ZERO_BYTE:
            self._source.line("b.append(0)")
        elif run:
            self._source.line(f"b += {self._pack(run)}")

    def _length(self, letter: str, length: str) -> None:
        """Write a length, already one more where it is compact, with the run before it."""
        if not self._flexible:
            self._run.append((letter, length))
            self._flush()
            return
        run, self._run = self._run, []
        with self._source.block(f"if {length} < 128:"):
            short = self._pack([*run, ("B", length)]) if run else None
            self._source.line(f"b += {short}" if short else f"b.append({length})")
        with self._source.block("else:"):
            if run:
                self._source.line(f"b += {self._pack(run)}")
            self._source.line(f"b += varint({length})")

    @contextmanager
    def _unless_null(self, field: Field, value: str, length: str, empty: str) -> Iterator[None]:
        """Open the block that measures a value; null has a length of its own and no content."""
        if not field.is_nullable(self._version):
            yield
            return
        with self._source.block(f"if {value} is None:"):
            self._source.line(f"{length} = {0 if self._flexible else -1}")
            self._source.line(f"{value} = {empty}")
        with self._source.block("else:"):
            yield

    def _measured(self, expression: str) -> str:
        return f"{expression} + 1" if self._flexible else expression

    def _text(self, field: Field, expression: str) -> None:
        source = self._source
        value, length = source.name("v"), source.name("n")
        source.line(f"{value} = {expression}")
        with self._unless_null(field, value, length, 'b""'):
            if field.kind == "string":
                source.line(f"{value} = {value}.encode()")
            source.line(f"{length} = {self._measured(f'len({value})')}")
        self._length("h" if field.kind == "string" else "i", length)
        source.line(f"b += {value}")

    def _records(self, field: Field, expression: str) -> None:
        source = self._source
        value, length = source.name("v"), source.name("n")
        source.line(f"{value} = {expression}")
        with self._unless_null(field, value, length, "()"):
            with source.block(f"if type({value}) in buffer_types:"):
                source.line(f"{value} = ({value},)")
            source.line(f"{length} = {self._measured(f'sum(map(len, {value}))')}")
        self._length("i", length)
        with source.block(f"if {length} > {int(self._flexible)}:"):
            source.line("out.append(b)")
            source.line(f"out += {value}")
            source.line("b = bytearray()")

    def _array(self, field: Field, expression: str) -> None:
        source = self._source
        element = field.element
        assert element is not None
        value, length = source.name("v"), source.name("n")
        source.line(f"{value} = {expression}")
        with self._unless_null(field, value, length, "()"):
            source.line(f"{length} = {self._measured(f'len({value})')}")
        self._length("i", length)
        letter = FIXED_FORMATS.get(element.kind)
        if letter and element.kind != "uuid":
            source.line(f"b += number_bytes({letter!r}, {value})")
            return
        item = source.name("x")
        with source.block(f"for {item} in {value}:"):
            if element.shape is not None:
                self._struct(element.shape, item)
            else:
                self._value(element, item)
            self._flush()

    def _optional_struct(self, field: Field, expression: str) -> None:
        """Write a single struct; where it may be null, a byte before it is -1 or 1 (KIP-893)."""
        assert field.shape is not None
        source = self._source
        value = source.name("v")
        source.line(f"{value} = {expression}")
        if not field.is_nullable(self._version):
            self._struct(field.shape, value)
            return
        self._flush()
        with source.block(f"if {value} is None:"):
            source.line("b.append(255)")
        with source.block("else:"):
            source.line("b.append(1)")
            self._struct(field.shape, value)
            self._flush()

    def _tags(self, tagged: list[tuple[Field, str]]) -> None:
        """Write the tag section: one zero byte where every tagged field has its default."""
        if not tagged:
            self._run.append((_ZERO_BYTE, ""))
            return
        source = self._source
        self._flush()
        with source.block(f"if {' or '.join(_is_set(field, value) for field, value in tagged)}:"):
            main, section = source.name("b"), source.name("s")
            source.line(f"{main} = b")
            source.line(f"{section} = []")
            for field, value in sorted(tagged, key=lambda entry: entry[0].tag or 0):
                with source.block(f"if {_is_set(field, value)}:"):
                    source.line("b = bytearray()")
                    self._value(field, value)
                    self._flush()
                    source.line(f"{section}.append(({field.tag}, b))")
            source.line(f"b = {main}")
            source.line(f"b += tag_section({section})")
        with source.block("else:"):
            source.line("b.append(0)")


def _is_set(field: Field, value: str) -> str:
    """Return the expression that says whether a field differs from its default."""
    if field.default is None:
        return f"{value} is not None"
    if field.default == ():
        return f"len({value})"
    return f"{value} != {field.default!r}"
