"""The object that says whose store this is."""

import json

import pytest

from everlog.format.cluster_marker import ClusterMarker, decode_marker, encode_marker
from everlog.format.errors import CorruptObjectError, UnsupportedFormatError

MARKER = ClusterMarker(cluster_id="c", store_id="s")


def test_a_marker_is_read_back_as_it_was_written() -> None:
    assert decode_marker(encode_marker(MARKER)) == MARKER


def test_a_marker_is_json_that_people_can_read() -> None:
    assert json.loads(encode_marker(MARKER)) == {"format": 1, "cluster_id": "c", "store_id": "s"}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"format": 1, "cluster_id": "c"}', b"\xff"]
)
def test_what_is_no_marker_is_corrupt(content: bytes) -> None:
    with pytest.raises(CorruptObjectError):
        decode_marker(content)


def test_a_marker_of_a_later_format_asks_for_a_newer_version() -> None:
    later = encode_marker(MARKER).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(UnsupportedFormatError, match="use a newer"):
        decode_marker(later)
