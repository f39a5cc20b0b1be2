"""Storage classes of S3 that an archive can be read from at once."""

from enum import IntEnum
from typing import Final


class StorageClass(IntEnum):
    """What a bucket keeps an object as, by S3's name and the number that a manifest has for it.

    0 also stands for a class that nobody has noted down.
    """

    STANDARD = 0
    STANDARD_IA = 1
    ONEZONE_IA = 2
    INTELLIGENT_TIERING = 3
    GLACIER_IR = 4
    REDUCED_REDUNDANCY = 5


CLASS_NAMES: Final = tuple(each.name for each in StorageClass)

_BY_NUMBER: Final = {int(each): each for each in StorageClass}

_OUT_OF_REACH: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def class_numbered(number: int) -> StorageClass | None:
    """Return the class of a number; None for one that a newer Everlog may know."""
    return _BY_NUMBER.get(number)


def class_fault(name: str) -> str | None:
    """Say why objects cannot be kept as a class, and what to write; None if they can."""
    if name in CLASS_NAMES:
        return None
    known = f"write one of {', '.join(CLASS_NAMES)}"
    if name in _OUT_OF_REACH:
        return f"a read would have to wait for hours until the store has restored it; {known}"
    if name == "EXPRESS_ONEZONE":
        return f"only directory buckets have it, which are no place for an archive; {known}"
    return known
