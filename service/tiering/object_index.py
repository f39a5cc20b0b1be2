"""Reads what lies behind the batches of a segment object, with as few calls as it takes."""

from everlog.format.footer import NeedMore, SectionKind
from everlog.format.object_keys import SegmentKey
from everlog.format.segment_index import SegmentIndex, open_segment, section_bytes
from everlog.stores.object_key import ObjectKey, object_key
from everlog.stores.object_store import ObjectStore

INDEX_BYTES_MIN = 256 << 10
"""The end of an object is read at once up to here; it is longer only with many producers."""


async def read_index(
    store: ObjectStore, name: SegmentKey, *, size_bytes: int, data_bytes: int
) -> SegmentIndex:
    """Read the indexes of an object.

    Args:
        store: Where it is.
        name: Its name.
        size_bytes: Of the whole object.
        data_bytes: Of its batches.

    Raises:
        ObjectMissingError: It is gone.
        CorruptObjectError: Its end is damaged.
        StoreUnavailableError: The store did not answer.
    """
    key = object_key(name.text)
    length = min(size_bytes - data_bytes, INDEX_BYTES_MIN)
    while True:
        suffix = await store.read(key, size_bytes - length, length)
        index = open_segment(suffix, object_bytes=size_bytes, key=name)
        if not isinstance(index, NeedMore):
            return index
        length = index.suffix_bytes


async def read_producers(store: ObjectStore, key: ObjectKey, index: SegmentIndex) -> bytes:
    """Read the producer state at the end of an object; raises like `read_index`."""
    section = index.footer.section(SectionKind.PRODUCERS)
    data = b""
    if section.length:
        data = await store.read(key, section.position, section.length)
    return section_bytes(section, data, position=section.position)
