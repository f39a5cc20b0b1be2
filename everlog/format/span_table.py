"""Rows that cover adjacent ranges of offsets: segments of a page, pages of an index page.

Timestamps go back and forth, but the greatest one so far only rises. The first row whose running
maximum reaches ``t`` is therefore the first row that holds a timestamp of at least ``t``, and both
offsets and times are found by bisection. The running maximum belongs to a table, not to the log:
it starts anew with each table, so rows that were dropped from the head cannot mislead.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from everlog.format.column_table import ColumnTable


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanTable:
    """Rows with the columns ``end`` and ``max_timestamp``; each begins where the one before ends.

    Attributes:
        base: Where the first row begins.
        running_max: Greatest timestamp of the rows up to and including each.
    """

    base: int
    rows: ColumnTable
    running_max: Sequence[int] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        rising = array("q", accumulate(self.rows.ints("max_timestamp"), max))
        object.__setattr__(self, "running_max", rising)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def end(self) -> int:
        """Where the last row ends; `base` when there is none."""
        return self.start_of(len(self))

    @property
    def max_timestamp(self) -> int | None:
        """Greatest timestamp of all rows; None without rows."""
        return self.running_max[-1] if len(self) else None

    def start_of(self, index: int) -> int:
        """Return where a row begins; for the index after the last, where it would."""
        return self.rows.ints("end")[index - 1] if index else self.base

    def end_of(self, index: int) -> int:
        """Return where a row ends."""
        return self.rows.ints("end")[index]

    def index_after(self, offset: int) -> int:
        """Return the first row that ends after ``offset``; the number of rows when none does."""
        return bisect_right(self.rows.ints("end"), offset)

    def index_at_time(self, timestamp: int, *, start: int) -> int | None:
        """Return the first row that ends after offset ``start`` and reaches ``timestamp``."""
        first = self.index_after(start)
        if not first:
            index = bisect_left(self.running_max, timestamp)
            return index if index < len(self) else None
        # Dead rows at the head may have raised the running maximum, so go by the rows' own.
        greatest = self.rows.ints("max_timestamp")
        return next((i for i in range(first, len(self)) if greatest[i] >= timestamp), None)

    def dropped(self, count: int) -> "SpanTable":
        """Return the table without its first ``count`` rows."""
        return self.sliced(count, len(self))

    def sliced(self, start: int, stop: int) -> "SpanTable":
        """Return rows ``[start, stop)`` as a table of their own."""
        return SpanTable(base=self.start_of(start), rows=self.rows.sliced(start, stop))

    def joined(self, later: "SpanTable") -> "SpanTable":
        """Return these rows and then those of the table that begins where this one ends."""
        assert later.base == self.end, f"rows to {self.end} do not meet rows from {later.base}"
        return SpanTable(base=self.base, rows=self.rows.joined(later.rows))

    def fault(self) -> str | None:
        """Return what is wrong with the ranges, if anything is."""
        for start, end in pairwise((self.base, *self.rows.ints("end"))):
            if not 0 <= start < end:
                return f"a row covers [{start}, {end})"
        return None
