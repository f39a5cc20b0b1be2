"""Puts a cleaned segment in the place of those it was made from, so that no crash can tear it.

The steps, in order; each is durable before the next but for the third and the last::

    1  <base>.log.cleaned   written and synced
    2  cleaning             the intent: size and checksum of that file, bases of what it replaces
    3  <base>.log.cleaned   takes the name <base>.log; the index of the old file goes first
    4  the other segments   are unlinked with their small files
    5  <base>.index         of the new file is written
    6  cleaning             is removed

Up to the second step a crash leaves the log as it was; from then on recovery finishes the swap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from crc32c import crc32c

from everlog.model.errors import CorruptionError
from service.hot.checked_file import with_checksum, without_checksum
from service.hot.cleaning import Cleaned
from service.hot.layout import (
    CLEANED,
    CLEANED_SUFFIX,
    CLEANING,
    INDEX_SUFFIX,
    PRODUCERS_SUFFIX,
    SEGMENT_SUFFIX,
    file_name,
)
from service.model.disk import Disk

_INTENT_MAGIC = b"EVLC"
_INTENT = Struct("<4sHHqII")
_CLEANED_MAGIC = b"EVLD"
_CLEANED = Struct("<4sHHqq")
_BASE = Struct("<q")
_VERSION = 1
_NO_TIME = -1
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A swap that has begun.

    Attributes:
        size: Bytes of the new file.
        crc: CRC-32C of the new file.
        bases: Base offsets of the segments that it replaces; the first one is its own.
    """

    size: int
    crc: int
    bases: tuple[int, ...]


def begin_swap(disk: Disk, directory: str, intent: Intent) -> None:
    """Write the intent down (step 2)."""
    disk.write_file_atomically(f"{directory}/{CLEANING}", encode_intent(intent))


def undo_swap(disk: Disk, directory: str, base: int) -> None:
    """Take back what has been done before step 3."""
    if _unlink(disk, f"{directory}/{CLEANING}"):
        disk.sync_dir(directory)
    _unlink(disk, f"{directory}/{file_name(base, SEGMENT_SUFFIX)}{CLEANED_SUFFIX}")


def rename_cleaned(disk: Disk, directory: str, base: int) -> None:
    """Give the new file its name (step 3). Waits for no device."""
    path = f"{directory}/{file_name(base, SEGMENT_SUFFIX)}"
    # An index must never be found next to a file that it was not made for.
    _unlink(disk, f"{directory}/{file_name(base, INDEX_SUFFIX)}")
    disk.rename(path + CLEANED_SUFFIX, path)


def finish_swap(disk: Disk, directory: str, intent: Intent, index: bytes | None) -> None:
    """Make the rename durable and remove what was replaced (steps 4 to 6)."""
    disk.sync_dir(directory)
    first, *others = intent.bases
    for base in others:
        for suffix in (INDEX_SUFFIX, PRODUCERS_SUFFIX, SEGMENT_SUFFIX):
            _unlink(disk, f"{directory}/{file_name(base, suffix)}")
    index_path = f"{directory}/{file_name(first, INDEX_SUFFIX)}"
    if index is None:
        _unlink(disk, index_path)
        disk.sync_dir(directory)
    else:
        # Syncs the directory too, and so the removals.
        disk.write_file_atomically(index_path, index)
    # Durable with whatever comes next: to find it again and to finish once more does no harm.
    _unlink(disk, f"{directory}/{CLEANING}")


def settle_swap(disk: Disk, directory: str, names: Iterable[str]) -> bool:
    """Finish or undo what a crash has interrupted; return whether anything was there.

    Args:
        disk: Where the log is.
        directory: Of the log.
        names: What is in the directory.

    Raises:
        CorruptionError: The intent is damaged: nobody can tell which segments count.
    """
    cleaned = [name for name in names if name.endswith(CLEANED_SUFFIX)]
    has_intent = CLEANING in names
    if has_intent:
        _settle(disk, directory, decode_intent(disk.read_file(f"{directory}/{CLEANING}")))
    for name in cleaned:
        _unlink(disk, f"{directory}/{name}")
    if has_intent:
        # Only now: until the segments are in order the intent must be found again.
        _unlink(disk, f"{directory}/{CLEANING}")
    if cleaned or has_intent:
        disk.sync_dir(directory)
    return bool(cleaned or has_intent)


def _settle(disk: Disk, directory: str, intent: Intent) -> None:
    path = f"{directory}/{file_name(intent.bases[0], SEGMENT_SUFFIX)}"
    if not _is_intended(disk, path, intent):
        if not _is_intended(disk, path + CLEANED_SUFFIX, intent):
            return
        rename_cleaned(disk, directory, intent.bases[0])
    finish_swap(disk, directory, intent, index=None)


def _is_intended(disk: Disk, path: str, intent: Intent) -> bool:
    """Whether a file is the one that the intent means."""
    try:
        file = disk.open(path, writable=False)
    except FileNotFoundError:
        return False
    try:
        if file.size() != intent.size:
            return False
        crc = 0
        for position in range(0, intent.size, _READ_BYTES):
            crc = crc32c(file.read_at(position, _READ_BYTES), crc)
        return crc == intent.crc
    finally:
        file.close()


def _unlink(disk: Disk, path: str) -> bool:
    """Remove a file; return whether there was one."""
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return False
    return True


def encode_intent(intent: Intent) -> bytes:
    """Write the file ``cleaning`` (layout: docs/formats.md)."""
    count = len(intent.bases)
    body = _INTENT.pack(_INTENT_MAGIC, _VERSION, 0, intent.size, intent.crc, count)
    body += b"".join(map(_BASE.pack, intent.bases))
    return with_checksum(body)


def decode_intent(content: bytes) -> Intent:
    """Read what `encode_intent` wrote.

    Raises:
        CorruptionError: It is damaged.
    """
    body = without_checksum(content, bytes_min=_INTENT.size + _BASE.size, name="file cleaning")
    magic, version, _, size, crc, count = _INTENT.unpack_from(body)
    bases = body[_INTENT.size :]
    if magic != _INTENT_MAGIC or version != _VERSION or len(bases) != count * _BASE.size:
        raise CorruptionError("the file cleaning is of another kind")
    return Intent(size=size, crc=crc, bases=tuple(base for (base,) in _BASE.iter_unpack(bases)))


def encode_cleaned(cleaned: Cleaned) -> bytes:
    """Write the file ``cleaned`` (layout: docs/formats.md)."""
    until_ms = _NO_TIME if cleaned.tombstones_until is None else cleaned.tombstones_until
    body = _CLEANED.pack(_CLEANED_MAGIC, _VERSION, 0, cleaned.end, until_ms)
    return with_checksum(body)


def read_cleaned(disk: Disk, directory: str) -> Cleaned:
    """Read how far a log is clean; without the file, or if it is damaged, all of it is dirty."""
    try:
        content = disk.read_file(f"{directory}/{CLEANED}")
        body = without_checksum(content, bytes_min=_CLEANED.size, name="file cleaned")
    except (FileNotFoundError, CorruptionError):
        return Cleaned()
    magic, version, _, end, until_ms = _CLEANED.unpack_from(body)
    if magic != _CLEANED_MAGIC or version != _VERSION:
        return Cleaned()
    return Cleaned(end=end, tombstones_until=None if until_ms == _NO_TIME else until_ms)
