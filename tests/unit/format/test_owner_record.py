"""Who has a store is read back as it was written."""

import pytest

from everlog.format.errors import CorruptObjectError
from everlog.format.owner_record import OwnerRecord, decode_owner, encode_owner
from everlog.format.sealed_json import seal_json

OWNER = OwnerRecord(cluster_id="c", store_id="s", number=7, created_ms=5)


def test_an_owner_is_read_back() -> None:
    assert decode_owner(encode_owner(OWNER)) == OWNER


def test_nonsense_is_refused() -> None:
    for content in (b"", b"{}", seal_json({"format": 1, "cluster_id": "c"})):
        with pytest.raises(CorruptObjectError):
            decode_owner(content)
