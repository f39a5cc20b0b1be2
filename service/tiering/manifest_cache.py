"""The manifests that were used last: roots and pages of all partitions of a broker, by bytes.

They never change, and no uid is used twice, so nothing in it can be out of date: a root that has a
successor is merely of no more use. A partition itself keeps its pointer only.
"""

from collections import OrderedDict

from everlog.format.page import Page
from everlog.format.root import Root
from everlog.format.span_table import SpanTable

MANIFEST_CACHE_BYTES = 64 << 20
"""A root has at most 80 KiB without its trash, a page at most 400 KiB."""

_ROOT_BYTES = 1536
_PAGE_BYTES = 768
_RUNNING_MAX_BYTES = 8

Kept = Root | Page


class ManifestCache:
    """Roots and pages by their uid; those that were used longest ago go first.

    Args:
        bytes_max: Of memory. What came last stays, even if it alone is larger.

    Attributes:
        bytes: What is in it now.
    """

    def __init__(self, *, bytes_max: int = MANIFEST_CACHE_BYTES) -> None:
        self.bytes = 0
        self._bytes_max = bytes_max
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    def __contains__(self, uid: bytes) -> bool:
        return uid in self._kept

    def get(self, uid: bytes) -> Kept | None:
        """Return a root or a page if it is there; it is then the last to go."""
        found = self._kept.get(uid)
        if found is not None:
            self._kept.move_to_end(uid)
        return found

    def put(self, uid: bytes, thing: Kept) -> None:
        """Keep a root or a page."""
        self.drop(uid)
        self._kept[uid] = thing
        self.bytes += held_bytes(thing)
        while self.bytes > self._bytes_max and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= held_bytes(oldest)

    def drop(self, uid: bytes) -> None:
        """Let go of what has that uid, if it is there."""
        thing = self._kept.pop(uid, None)
        if thing is not None:
            self.bytes -= held_bytes(thing)


def held_bytes(thing: Kept) -> int:
    """Return about how much memory a root or a page takes."""
    match thing:
        case Page(rows=rows):
            return _PAGE_BYTES + _table_bytes(rows)
        case Root(refs=refs, entries=entries, trash=trash):
            return _ROOT_BYTES + _table_bytes(refs) + _table_bytes(entries) + len(trash.data)


def _table_bytes(table: SpanTable) -> int:
    return len(table.rows.data) + _RUNNING_MAX_BYTES * len(table)
