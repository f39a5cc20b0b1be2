r"""How ``--format`` writes a record, in the habits of kcat and rpk: pure, and safe for binary data.

===  =====================================  ===  ==============================
%t   topic                                  %k   key
%p   partition                              %v   value (also %s)
%o   offset                                 %K   length of the key, -1 for none
%T   timestamp in milliseconds              %V   length of the value (also %S)
%d   timestamp as a date                    %h   headers, name=value,...
===  =====================================  ===  ==============================

``%%`` is a percent sign; ``\n``, ``\r``, ``\t``, ``\0``, ``\\`` and ``\xHH`` are as in C.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.app.cli.times import instant_text

DEFAULT_FORMAT = "%v\\n"

_TOKEN = re.compile(r"%(.?)|\\(x[0-9a-fA-F]{2}|.?)", re.DOTALL)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", "\\": b"\\"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRecord:
    """A record as a consumer got it.

    Attributes:
        timestamp_ms: None if the record has none.
        key: None for null; so with ``value`` and the values of ``headers``.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class BadFormatError(ValueError):
    """A format that says something unknown."""


Piece = Callable[[ReceivedRecord], bytes]

_FIELDS: dict[str, Piece] = {
    "t": lambda record: record.topic.encode(),
    "p": lambda record: b"%d" % record.partition,
    "o": lambda record: b"%d" % record.offset,
    "T": lambda record: b"%d" % (-1 if record.timestamp_ms is None else record.timestamp_ms),
    "d": lambda record: instant_text(record.timestamp_ms).encode(),
    "k": lambda record: record.key or b"",
    "v": lambda record: record.value or b"",
    "s": lambda record: record.value or b"",
    "K": lambda record: b"%d" % _length(record.key),
    "V": lambda record: b"%d" % _length(record.value),
    "S": lambda record: b"%d" % _length(record.value),
    "h": lambda record: b",".join(
        name.encode() + b"=" + (value or b"") for name, value in record.headers
    ),
}


def compile_format(text: str) -> Piece:
    """Return what writes a record in a format.

    Raises:
        BadFormatError: The format says something unknown.
    """
    pieces: list[Piece] = []
    position = 0
    for token in _TOKEN.finditer(text):
        _add_text(pieces, text[position : token.start()].encode())
        position = token.end()
        field, escape = token.groups()
        if escape is not None:
            _add_text(pieces, _escaped(escape))
        elif field == "%":
            _add_text(pieces, b"%")
        elif field in _FIELDS:
            pieces.append(_FIELDS[field])
        else:
            known = " ".join(f"%{name}" for name in _FIELDS)
            raise BadFormatError(f"%{field} is unknown; use {known} or %%")
    _add_text(pieces, text[position:].encode())
    return lambda record: b"".join([piece(record) for piece in pieces])


def json_line(record: ReceivedRecord) -> bytes:
    """Write a record as one line of JSON; what is not UTF-8 is written in base64, and says so."""
    key, key_encoding = _json_text(record.key)
    value, value_encoding = _json_text(record.value)
    headers = []
    for name, content in record.headers:
        text, encoding = _json_text(content)
        headers.append({"name": name, "value": text, "value_encoding": encoding})
    line = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key": key,
        "key_encoding": key_encoding,
        "value": value,
        "value_encoding": value_encoding,
        "headers": headers,
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _add_text(pieces: list[Piece], text: bytes) -> None:
    if text:
        pieces.append(lambda _record: text)


def _escaped(name: str) -> bytes:
    if name.startswith("x") and len(name) > 1:
        return bytes.fromhex(name[1:])
    if name not in _ESCAPES:
        raise BadFormatError(f"\\{name} is unknown; use \\n \\r \\t \\0 \\xHH or \\\\")
    return _ESCAPES[name]


def _length(field: bytes | None) -> int:
    return -1 if field is None else len(field)


def _json_text(field: bytes | None) -> tuple[str | None, str | None]:
    if field is None:
        return None, None
    try:
        return field.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(field).decode(), "base64"
