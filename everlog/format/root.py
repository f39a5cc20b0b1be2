"""The root of a partition's manifest: which objects are live, and which may be deleted.

A root is a value, replaced as a whole and never changed. In the order of offsets it leads to the
objects by references to index pages, then to pages of entries, then by its own newest entries.
Format 1 has entries only; format 2 adds the references; format 3 adds origins: some of the objects
lie below another partition's names, and are never this one's to delete. What of these has locks is
stored in format 4.
"""

from dataclasses import dataclass

from everlog.format.entries import (
    Entry,
    Totals,
    entries_fault,
    entry_totals,
    has_locks,
    origin_numbers,
)
from everlog.format.object_keys import PartitionPath, RootKey, Stamp, Uid
from everlog.format.origins import Origin, home_of, origins_fault
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, ref_origins, ref_totals, refs_fault
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trash
from everlog.model.errors import RejectedError
from everlog.model.offsets import LeaderEpoch, Offset

INLINE_FORMAT = 1
PAGED_FORMAT = 2
CLONE_FORMAT = 3
LOCK_FORMAT = 4
"""How a root with locks is stored; in memory it has the format that it would have without."""

INLINE_ENTRIES_MAX = 512
"""As many 64 MiB objects are 32 GiB, and 44 KiB of root."""

SHA256_BYTES = 32


class RootFullError(RejectedError):
    """A root has more entries than it may be stored with: fold it, in format 1 after an upgrade."""

    def __init__(self, *, root_format: int, entries: int) -> None:
        super().__init__(
            f"{entries} entries do not fit into a root of format {root_format}, which holds"
            f" {INLINE_ENTRIES_MAX}"
        )
        self.root_format = root_format
        self.entries = entries


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRef:
    """What it takes to fetch a root and to know it for the right one."""

    stamp: Stamp
    uid: Uid
    sha256: bytes

    def key(self, path: PartitionPath) -> RootKey:
        """Return the name of the root."""
        return RootKey(path=path, stamp=self.stamp, uid=self.uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A manifest root.

    Attributes:
        format: `INLINE_FORMAT`, `PAGED_FORMAT`, or `CLONE_FORMAT` if and only if it has origins.
        stamp: Makes it newer than every root that it follows.
        previous: The root that it follows; None for the first.
        live_start: Where the first live object begins: at `tiered_start` or before it, since
            records may be deleted up to the middle of an object.
        tiered_start: First offset that may be read; never goes back.
        tiered_end: Where the next object has to begin; never goes back.
        tiered_end_epoch: Leader epoch of the last offset below `tiered_end`; None before the
            first commit.
        totals: Over the live entries.
        refs: References to pages; what lies below `live_start` in them is dead.
        entries: The newest entries.
        origins: Whose objects it lists besides its own.
    """

    format: int
    path: PartitionPath
    stamp: Stamp
    uid: Uid
    previous: RootRef | None
    created_ms: int
    live_start: Offset
    tiered_start: Offset
    tiered_end: Offset
    tiered_end_epoch: LeaderEpoch | None
    totals: Totals
    refs: SpanTable
    entries: SpanTable
    trash: Trash
    origins: tuple[Origin, ...] = ()

    def home_of(self, entry: Entry) -> PartitionPath:
        """Return below whose names the object of an entry lies.

        Raises:
            CorruptObjectError: It is of no known origin.
        """
        return home_of(entry.origin, own=self.path, origins=self.origins)

    @property
    def has_foreign(self) -> bool:
        """Whether a live object may lie elsewhere; for certain unless a page is half dead."""
        return ref_origins(self.refs) or any(origin_numbers(self.entries))

    @property
    def has_locks(self) -> bool:
        """Whether an object that it names by itself was ever locked."""
        return has_locks(self.entries) or self.trash.locked > 0

    @property
    def max_timestamp(self) -> int | None:
        """No live record has a greater timestamp, in ms; None when nothing is live."""
        if not self.totals.entries:
            return None
        return max(
            t for t in (self.refs.max_timestamp, self.entries.max_timestamp) if t is not None
        )

    @property
    def dead(self) -> Totals:
        """Sums over entries that only the first page still lists."""
        return ref_totals(self.refs) + entry_totals(self.entries) - self.totals

    def fault(self) -> str | None:
        """Return which of its invariants a root breaks, if it breaks any."""
        return self.list_fault() or self._trash_fault()

    def list_fault(self) -> str | None:
        """Return the same but for the trash, which may be longer than all that is live."""
        return (
            self._table_fault()
            or self._origin_fault()
            or self._offset_fault()
            or self._totals_fault()
            or self._names_fault()
        )

    def _table_fault(self) -> str | None:
        if self.format == INLINE_FORMAT and len(self.refs):
            return "format 1 has no pages"
        if self.format == INLINE_FORMAT and has_locks(self.entries):
            return "format 1 has no locks"
        levels = frozenset({ENTRY_PAGE, INDEX_PAGE})
        return entries_fault(self.entries) or refs_fault(self.refs, levels=levels)

    def _origin_fault(self) -> str | None:
        if (self.format == CLONE_FORMAT) != bool(self.origins):
            return f"format {self.format} with {len(self.origins)} origins"
        numbers = origin_numbers(self.entries)
        return origins_fault(self.origins, own=self.path, refs=self.refs, numbers=numbers)

    def _offset_fault(self) -> str | None:
        if not 0 <= self.live_start <= self.tiered_start <= self.tiered_end:
            return f"it starts at {self.live_start}, {self.tiered_start}, ends at {self.tiered_end}"
        if self.refs.end != self.entries.base or self.entries.end != self.tiered_end:
            return f"pages to {self.refs.end}, entries from {self.entries.base}"
        return self._head_fault(self.refs if len(self.refs) else self.entries)

    def _head_fault(self, rows: SpanTable) -> str | None:
        """Return what is wrong where the tier starts; ``rows`` come first in it."""
        if not len(rows):
            empty = self.live_start == self.tiered_start == self.tiered_end
            return None if empty else "it starts before its end without entries"
        if not rows.base <= self.live_start <= self.tiered_start < rows.end_of(0):
            return f"it starts at {self.live_start}, {self.tiered_start}, not in its first row"
        if rows is self.entries and self.live_start != rows.base:
            return "it lists an entry that is dead"
        return None

    def _totals_fault(self) -> str | None:
        dead = self.dead
        if not self.totals.is_sound or not dead.is_sound:
            return f"{self.totals} are not the sums of its rows"
        has_dead = dead.entries > 0 if self.live_start > self.refs.base else dead != Totals()
        if has_dead != (self.live_start > self.refs.base):
            return f"{dead} is dead below {self.live_start}"
        if self.totals.entries and self.tiered_end_epoch is None:
            return "it has entries and no epoch of their end"
        if self.tiered_end_epoch is not None and self.tiered_end_epoch < 0:
            return f"its end has epoch {self.tiered_end_epoch}"
        return None

    def _names_fault(self) -> str | None:
        if len(self._live_uids()) != 1 + len(self.refs) + len(self.entries):
            return "it lists an object twice"
        return None

    def _trash_fault(self) -> str | None:
        if not self._live_uids().isdisjoint(self.trash.uids()):
            return "a live object is in the trash"
        return None

    def _live_uids(self) -> set[bytes]:
        return {self.uid, *self.refs.rows.blobs("uid"), *self.entries.rows.blobs("uid")}
