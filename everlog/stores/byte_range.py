"""Ranges of bytes inside an object, as readers ask for them."""

from everlog.model.errors import RejectedError
from everlog.stores.errors import StoreCorruptionError
from everlog.stores.object_key import ObjectKey


def range_end(start: int, length: int) -> int:
    """Return the end of a range to read, exclusive.

    Raises:
        RejectedError: The range is empty or starts before the object; HTTP has no words for either.
    """
    if start < 0 or length < 1:
        raise RejectedError(f"{length} bytes from {start} on are no range that can be read")
    return start + length


def range_beyond_end(key: ObjectKey, start: int, end: int, *, size: int) -> StoreCorruptionError:
    """Return the error of a range that is not, or not all, in the object.

    Objects never change, so whoever asks knows the size from an index that is now contradicted.
    """
    return StoreCorruptionError("read", key, f"[{start}, {end}) goes beyond its {size} bytes")


def larger_than(key: ObjectKey, size: int, size_max: int) -> StoreCorruptionError:
    """Return the error of an object that is larger than its kind can be."""
    return StoreCorruptionError("read", key, f"it has {size} bytes, at most {size_max} expected")
