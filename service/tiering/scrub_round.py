"""Pure: which objects a scrubber looks at, and when: told by the clock alone.

A round lasts a fixed time and goes once over all live objects in the order of partitions and
offsets, at the pace of their bytes. So a broker that was away goes on where it should be by now,
and nothing has to be remembered. In each round some objects are read to their end, a different
share in each, so that after ``1 / share`` rounds all of them were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from everlog.format.entries import Entry, entry_of
from everlog.format.object_keys import Uid
from everlog.format.page_refs import INDEX_PAGE, ref_of
from everlog.format.root import Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import Walk

_UID_BYTES = 8
_UIDS = 1 << (8 * _UID_BYTES)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a round: bytes ``[start, end)`` of all live objects laid end to end."""

    round_number: int
    start: int
    end: int


def stretches(since_ms: int, now_ms: int, *, round_ms: int, total_bytes: int) -> list[Stretch]:
    """Return what is due between two times, in wall time; a time lies in at most two rounds.

    Args:
        since_ms: What was due before it has been looked at.
        now_ms: Not before it, and no more than a round after it.
        round_ms: How long a round lasts.
        total_bytes: Of all live objects.
    """
    assert since_ms <= now_ms <= since_ms + round_ms, f"from {since_ms} to {now_ms}"
    found = []
    while since_ms < now_ms:
        number, begun = divmod(since_ms, round_ms)
        end_ms = min(now_ms, (number + 1) * round_ms)
        ended = end_ms - number * round_ms
        found.append(
            Stretch(number, total_bytes * begun // round_ms, total_bytes * ended // round_ms)
        )
        since_ms = end_ms
    return found


def within(stretch: Stretch, sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (number, start, end) of the things with these sizes that a stretch touches."""
    ends = accumulate(sizes)
    for number, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        base = end - size
        first, last = max(stretch.start - base, 0), min(stretch.end - base, size)
        if first < last:
            yield number, first, last


def is_read_in(round_number: int, uid: Uid, *, share: float) -> bool:
    """Whether an object is one of those that are read to their end in a round.

    Args:
        round_number: Of the round.
        uid: Of the object; random, so that it chooses evenly.
        share: Of all bytes that are read in a round.
    """
    place = int.from_bytes(uid[:_UID_BYTES], "big") / _UIDS
    return share >= 1 or (place - round_number * share) % 1 < share


def entries_within(root: Root, start: int, end: int) -> Walk[list[Entry]]:
    """Return the live objects that begin within bytes ``[start, end)`` of all live ones."""
    dead = root.dead.bytes
    found: list[Entry] = []
    at = yield from _below_refs(root.refs, 0, (start + dead, end + dead), found)
    _in_table(root.entries, at, (start + dead, end + dead), found)
    return found


def _below_refs(refs: SpanTable, at: int, span: tuple[int, int], found: list[Entry]) -> Walk[int]:
    """Collect entries below references, which begin at byte ``at``; return where they end."""
    for index, size in enumerate(refs.rows.ints("bytes")):
        if at < span[1] and at + size > span[0]:
            page = yield ref_of(refs, index).page
            if page.id.level == INDEX_PAGE:
                yield from _below_refs(page.rows, at, span, found)
            else:
                _in_table(page.rows, at, span, found)
        at += size
    return at


def _in_table(table: SpanTable, at: int, span: tuple[int, int], found: list[Entry]) -> None:
    for index, size in enumerate(table.rows.ints("size_bytes")):
        if span[0] <= at < span[1]:
            found.append(entry_of(table, index))
        at += size
