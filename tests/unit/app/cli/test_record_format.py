import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.cli.record_format import (
    BadFormatError,
    ReceivedRecord,
    compile_format,
    json_line,
)

RECORD = ReceivedRecord(
    topic="orders",
    partition=2,
    offset=401_702,
    timestamp_ms=1_704_112_200_000,
    key=b"k",
    value=b"\x00\xffvalue",
    headers=[("a", b"1"), ("b", None)],
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%t %p %o %k %v\\n", b"orders 2 401702 k \x00\xffvalue\n"),
        ("%s", b"\x00\xffvalue"),
        ("%K/%V/%S", b"1/7/7"),
        ("%T %d", b"1704112200000 2024-01-01 12:30:00"),
        ("%h", b"a=1,b="),
        ("100%% \\t\\0\\x41\\\\", b"100% \t\x00A\\"),
        ("", b""),
        ("\u00e9 %o", "\u00e9 401702".encode()),
    ],
)
def test_a_format_writes_what_it_says(text: str, expected: bytes) -> None:
    assert compile_format(text)(RECORD) == expected


def test_null_is_empty_and_has_no_length() -> None:
    null = replace(RECORD, key=None, value=None, timestamp_ms=None)
    assert compile_format("[%k][%v] %K %V %T %d")(null) == b"[][] -1 -1 -1 -"


@pytest.mark.parametrize("text", ["%q", "%", "\\q", "a\\", "\\x4"])
def test_an_unknown_field_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadFormatError, match="is unknown; use"):
        compile_format(text)


@given(st.binary())
def test_a_value_is_written_byte_for_byte(value: bytes) -> None:
    assert compile_format("%v")(replace(RECORD, value=value)) == value


def test_json_has_the_same_keys_for_every_record() -> None:
    keys = {tuple(json.loads(json_line(each))) for each in (RECORD, replace(RECORD, key=None))}
    assert keys == {
        (
            "topic",
            "partition",
            "offset",
            "timestamp_ms",
            "key",
            "key_encoding",
            "value",
            "value_encoding",
            "headers",
        )
    }


@given(st.one_of(st.none(), st.binary()))
def test_json_gives_every_value_back(value: bytes | None) -> None:
    line = json_line(replace(RECORD, value=value))
    assert line.count(b"\n") == 1
    found = json.loads(line)
    encoding, text = found["value_encoding"], found["value"]
    if encoding is None:
        assert value is None
    elif encoding == "utf-8":
        assert text.encode() == value
    else:
        assert (encoding, base64.b64decode(text)) == ("base64", value)
