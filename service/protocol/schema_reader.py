"""Writes the text of a reader: bytes of one version of a message in, its object out.

The generated code is flat: one function, nested loops for nested arrays. Neighbouring fields of a
fixed size are one `unpack_from`, together with what begins the length of the string or array
after them. Its names: ``d`` the frame, ``p`` the position, ``end`` of the frame, ``left``
elements still allowed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct

from service.protocol import primitives
from service.protocol.schema_fields import FIXED_FORMATS, Field, Shape
from service.protocol.schema_source import Source


class ReaderSource:
    """Generates ``read(d, p, left) -> (message, position)`` for one version of one message."""

    def __init__(self, version: int, *, flexible: bool) -> None:
        self._version = version
        self._flexible = flexible
        self._run: list[tuple[str, str]] = []
        self._source = Source(
            {
                "new": object.__new__,
                "uvarint": primitives.unsigned_varint,
                "tag_header": primitives.tag_header,
                "skip_tags": primitives.skip_tags,
                "number_list": primitives.number_list,
                "refuse_length": primitives.refuse_length,
                "refuse_null": primitives.refuse_null,
                "refuse_elements": primitives.refuse_elements,
                "refuse_tag": primitives.refuse_tag,
            }
        )

    def message(self, shape: type[Shape]) -> tuple[str, dict[str, object]]:
        """Return the function's text and the constants that it needs."""
        source = self._source
        with source.block("def read(d, p, left):"):
            with source.block("if type(d) is not memoryview:"):
                source.line("d = memoryview(d)")
            source.line("end = len(d)")
            made = self._struct(shape)
            self._flush()
            source.line(f"return {made}, p")
        return source.text(), source.constants

    def _struct(self, shape: type[Shape]) -> str:
        """Read the fields of a struct; return the object's name. It is complete after a flush."""
        made = self._source.name("o")
        self._source.line(f"{made} = new({self._source.constant(shape, shape.__name__)})")
        tagged = []
        for name, field in shape.FIELDS.items():
            label = f"{shape.__name__}.{name}"
            present = self._version in field.versions
            if present and field.tag is None:
                self._value(field, f"{made}.{name}", label)
            else:
                default = "[]" if field.default == () else repr(field.default)
                self._source.line(f"{made}.{name} = {default}")
                if present:
                    tagged.append((field, f"{made}.{name}", label))
        if self._flexible:
            self._tags(tagged)
        return made

    def _value(self, field: Field, target: str, label: str) -> None:
        letters = FIXED_FORMATS.get(field.kind)
        if letters:
            self._run.append((letters, target))
        elif field.kind == "array":
            self._array(field, target, label)
        elif field.kind == "struct":
            self._optional_struct(field, target)
        else:
            self._text(field, target, label)

    def _flush(self) -> None:
        """Read the fixed-size values that have gathered."""
        run, self._run = self._run, []
        if not run:
            return
        letters = "".join(letter for letter, _ in run)
        if letters == "B":
            self._source.line(f"{run[0][1]} = d[p]")
            self._source.line("p += 1")
            return
        layout = Struct(">" + letters)
        unpack = "unpack_" + letters.replace("?", "o")
        self._source.constants.setdefault(unpack, layout.unpack_from)
        targets = ", ".join(target for _, target in run)
        self._source.line(f"{targets}, = {unpack}(d, p)")
        self._source.line(f"p += {layout.size}")

    def _length(self, letter: str) -> str:
        """Read a length; return its name. A compact one stays as it is: one more, 0 for null."""
        length = self._source.name("n")
        self._run.append(("B" if self._flexible else letter, length))
        self._flush()
        if self._flexible:
            with self._source.block(f"if {length} > 127:"):
                self._source.line(f"{length}, p = uvarint(d, p, {length})")
        return length

    @contextmanager
    def _unless_null(self, field: Field, length: str, target: str, label: str) -> Iterator[str]:
        """Open the block of a value that is there, yield its length, and deal with null."""
        source = self._source
        with source.block(f"if {length}:" if self._flexible else f"if {length} >= 0:"):
            yield f"{length} - 1" if self._flexible else length
        if field.is_nullable(self._version):
            with source.block("else:" if self._flexible else f"elif {length} == -1:"):
                source.line(f"{target} = None")
        elif self._flexible:
            with source.block("else:"):
                source.line(f"refuse_null({label!r})")
        if not self._flexible:
            with source.block("else:"):
                source.line(f"refuse_length({label!r}, {length}, end - p)")

    def _text(self, field: Field, target: str, label: str) -> None:
        source = self._source
        length = self._length("h" if field.kind == "string" else "i")
        with self._unless_null(field, length, target, label) as size:
            stop = source.name("e")
            source.line(f"{stop} = p + {size}")
            with source.block(f"if {stop} > end:"):
                source.line(f"refuse_length({label!r}, {size}, end - p)")
            # tobytes().decode() takes three quarters of the time of str(slice, "utf-8").
            decode = ".tobytes().decode()" if field.kind == "string" else ""
            source.line(f"{target} = d[p:{stop}]{decode}")
            source.line(f"p = {stop}")

    def _array(self, field: Field, target: str, label: str) -> None:
        source = self._source
        element = field.element
        assert element is not None
        length = self._length("i")
        with self._unless_null(field, length, target, label) as size:
            count = source.name("c")
            source.line(f"{count} = {size}")
            smallest = least_size(element, self._version, flexible=self._flexible)
            with source.block(f"if {count} * {smallest} > end - p:"):
                source.line(f"refuse_length({label!r}, {count}, end - p)")
            source.line(f"left -= {count}")
            with source.block("if left < 0:"):
                source.line("refuse_elements()")
            self._elements(element, target, count, label)

    def _elements(self, element: Field, target: str, count: str, label: str) -> None:
        source = self._source
        letter = FIXED_FORMATS.get(element.kind)
        if letter and element.kind != "uuid":
            source.line(f"{target} = number_list(d, p, {letter!r}, {count})")
            source.line(f"p += {count} * {Struct('>' + letter).size}")
            return
        values = source.name("a")
        source.line(f"{values} = {target} = []")
        with source.block(f"for _ in range({count}):"):
            if element.shape is not None:
                made = self._struct(element.shape)
            else:
                made = source.name("v")
                self._value(element, made, label)
            self._flush()
            source.line(f"{values}.append({made})")

    def _optional_struct(self, field: Field, target: str) -> None:
        """Read a single struct; where it may be null, a negative byte says that it is (KIP-893)."""
        assert field.shape is not None
        if not field.is_nullable(self._version):
            made = self._struct(field.shape)
            self._flush()
            self._source.line(f"{target} = {made}")
            return
        mark = self._source.name("n")
        self._run.append(("b", mark))
        self._flush()
        with self._source.block(f"if {mark} < 0:"):
            self._source.line(f"{target} = None")
        with self._source.block("else:"):
            made = self._struct(field.shape)
            self._flush()
            self._source.line(f"{target} = {made}")

    def _tags(self, tagged: list[tuple[Field, str, str]]) -> None:
        source = self._source
        count = source.name("t")
        self._run.append(("B", count))
        self._flush()
        with source.block(f"if {count}:"):
            if tagged:
                self._known_tags(count, tagged)
            else:
                source.line(f"p, left = skip_tags(d, p, {count}, left)")

    def _known_tags(self, count: str, tagged: list[tuple[Field, str, str]]) -> None:
        source = self._source
        with source.block(f"if {count} > 127:"):
            source.line(f"{count}, p = uvarint(d, p, {count})")
        source.line(f"left -= {count}")
        with source.block("if left < 0:"):
            source.line("refuse_elements()")
        tag, stop = source.name("g"), source.name("e")
        source.line(f"{tag} = -1")
        with source.block(f"for _ in range({count}):"):
            source.line(f"{tag}, p, {stop} = tag_header(d, p, {tag})")
            for field, target, label in tagged:
                with source.block(f"if {tag} == {field.tag}:"):
                    self._value(field, target, label)
                    self._flush()
                    with source.block(f"if p != {stop}:"):
                        source.line(f"refuse_tag({label!r}, {stop}, p)")
            source.line(f"p = {stop}")


def least_size(field: Field, version: int, *, flexible: bool) -> int:
    """Return the fewest bytes that a value of the field takes, which bounds how many can follow."""
    letter = FIXED_FORMATS.get(field.kind)
    if letter:
        return Struct(">" + letter).size
    if field.kind == "struct" and field.shape is not None and not field.is_nullable(version):
        return int(flexible) + sum(
            least_size(inner, version, flexible=flexible)
            for inner in field.shape.FIELDS.values()
            if version in inner.versions and inner.tag is None
        )
    if flexible or field.kind == "struct":
        return 1
    return 2 if field.kind == "string" else 4
