"""Makes a ListObjectsV2 answer old: without what is new, and with what is gone."""

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote
from xml.sax.saxutils import unescape

_CONTENTS = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_KEY = re.compile(rb"<Key>(.*?)</Key>")
_LAST_MODIFIED = b"2026-01-01T00:00:00.000Z"


def stale_listing(body: bytes, *, is_hidden: Callable[[str], bool], gone: Iterable[str]) -> bytes:
    """Return the answer without the hidden keys and with those that are gone, in order."""
    blocks = {_key_of(block): block for block in _CONTENTS.findall(body)}
    shown = {key: block for key, block in blocks.items() if not is_hidden(key)}
    shown |= {key: _block(key) for key in gone if key not in blocks}
    if shown.keys() == blocks.keys():
        return body
    entries = b"".join(shown[key] for key in sorted(shown))
    bare = _CONTENTS.sub(b"", body)
    return bare.replace(b"</ListBucketResult>", entries + b"</ListBucketResult>")


def _key_of(block: bytes) -> str:
    found = _KEY.search(block)
    assert found is not None, block
    return unquote(unescape(found[1].decode()))


def _block(key: str) -> bytes:
    fields = {
        b"Key": quote(key).encode(),
        b"LastModified": _LAST_MODIFIED,
        b"ETag": b"&quot;00000000000000000000000000000000&quot;",
        b"Size": b"1",
        b"StorageClass": b"STANDARD",
    }
    inner = b"".join(b"<%s>%s</%s>" % (name, text, name) for name, text in fields.items())
    return b"<Contents>" + inner + b"</Contents>"
