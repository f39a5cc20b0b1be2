"""One line of JSON that tells of itself whether it is whole."""

import json

import pytest

from everlog.format.errors import CorruptObjectError, UnsupportedFormatError
from everlog.format.sealed_json import seal_json, unseal_json
from tests.unit.format.samples import damaged, given

FIELDS = {"format": 1, "name": "Grüße", "config": {"a": "1"}}
SEALED = seal_json(FIELDS)


def unsealed(content: bytes, format_max: int = 1) -> object:
    return unseal_json(content, what="thing", format_max=format_max)


def test_what_was_sealed_is_read_back_and_is_json() -> None:
    assert unsealed(SEALED) == FIELDS
    assert {**json.loads(SEALED), "crc32c": None} == {**FIELDS, "crc32c": None}


@given(damaged(SEALED))
def test_any_damage_shows(content: bytes) -> None:
    if content == SEALED.rstrip(b"\n"):
        return
    with pytest.raises(CorruptObjectError):
        unsealed(content)


@pytest.mark.parametrize("fields", [{"name": "a"}, {"name": "a", "format": "1"}])
def test_what_names_no_format_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises((CorruptObjectError, UnsupportedFormatError)):
        unsealed(seal_json(fields))


def test_a_later_format_is_no_damage() -> None:
    with pytest.raises(UnsupportedFormatError, match="use a newer Everlog"):
        unsealed(seal_json({**FIELDS, "format": 2}))
