"""Keeping a root small: its entries become pages, small pages large ones, references index pages.

A root holds up to 512 entries, then up to eight references to pages of 512, then references to
pages of 4,096, and every 256 of these give way to one index page. Ten million objects are ten
index pages; the root stays below 80 KiB and is half of that on average.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice, takewhile

from everlog.format.manifest import Draft, checked
from everlog.format.object_keys import Uid
from everlog.format.page import NewPage, Page, new_page
from everlog.format.page_refs import ENTRY_PAGE, INDEX_PAGE, PageRef, ref_of, ref_table
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, Root
from everlog.format.span_table import SpanTable
from everlog.format.trash import Trash, TrashedPage
from everlog.format.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """How many of a kind fold into one of the next.

    Attributes:
        entries: Of a root become a small page.
        small_pages: Become a large one.
        large_pages: Go below an index page.
    """

    entries: int = INLINE_ENTRIES_MAX
    small_pages: int = 8
    large_pages: int = 256


_FOLDING = Folding()


def folded(
    root: Root, *, uids: Iterator[Uid], not_before_ms: int, folding: Folding = _FOLDING
) -> Walk[Draft]:
    """Make room in a root where that is due.

    Args:
        root: A root that was not stored yet; one of format 1 is left as it is.
        uids: Gives a fresh uid for each new page.
        not_before_ms: When the pages that others replace may be deleted.
        folding: When it is due.
    """
    pages: list[NewPage] = []
    if root.format == INLINE_FORMAT:
        return Draft(root=root, pages=())
    # From old to new, so that no step has to read a page that a step before it just made.
    large = _large_pages(root.refs, folding)[: folding.large_pages]
    if len(large) == folding.large_pages:
        pages.append(_index_page(root, large, next(uids)))
        root = _replaced(root, large, pages[-1].ref, trash=root.trash)
    small = _small_pages(root.refs, folding)[: folding.small_pages]
    if len(small) == folding.small_pages:
        old = yield from _loaded(root.refs, small)
        pages.append(_large_page(root, old, next(uids)))
        gone = (TrashedPage(offsets=page.id.offsets, uid=page.id.uid) for page in old)
        trash = root.trash.added(gone, not_before_ms=not_before_ms)
        root = _replaced(root, small, pages[-1].ref, trash=trash)
    while len(root.entries) >= folding.entries:
        pages.append(_small_page(root, next(uids), folding))
        root = _flushed(root, pages[-1].ref, folding)
    return Draft(root=root, pages=tuple(pages))


def _large_pages(refs: SpanTable, folding: Folding) -> range:
    """Return the rows of pages of entries that a merge has made; index pages come before them."""
    index_pages = list(refs.rows.ints("level")).count(INDEX_PAGE)
    return range(index_pages, len(refs) - len(_small_pages(refs, folding)))


def _small_pages(refs: SpanTable, folding: Folding) -> range:
    """Return the last rows, of pages of entries that are no larger than a new one."""
    # Even an index page leads to few entries where they were replaced by fewer.
    pages = list(refs.rows.ints("level")).count(ENTRY_PAGE)
    newest_first = islice(reversed(refs.rows.ints("entries")), pages)
    small = takewhile(lambda entries: entries <= folding.entries, newest_first)
    return range(len(refs) - len(list(small)), len(refs))


def _index_page(root: Root, large: range, uid: Uid) -> NewPage:
    rows = root.refs.sliced(large.start, large.stop)
    return new_page(root.path, rows, level=INDEX_PAGE, uid=uid)


def _large_page(root: Root, old: Iterable[Page], uid: Uid) -> NewPage:
    """Copy the living entries of small pages into one page."""
    living = [page.rows.dropped(page.rows.index_after(root.live_start)) for page in old]
    return new_page(root.path, reduce(SpanTable.joined, living), level=ENTRY_PAGE, uid=uid)


def _small_page(root: Root, uid: Uid, folding: Folding) -> NewPage:
    rows = root.entries.sliced(0, folding.entries)
    return new_page(root.path, rows, level=ENTRY_PAGE, uid=uid)


def _loaded(refs: SpanTable, rows: range) -> Walk[list[Page]]:
    pages = []
    for row in rows:
        page = yield ref_of(refs, row).page
        pages.append(page)
    return pages


def _replaced(root: Root, rows: range, ref: PageRef, *, trash: Trash) -> Root:
    """Put one reference in the place of some; it may begin later, at what is alive."""
    start = ref.page.offsets.start
    before = root.refs.sliced(0, rows.start) if rows.start else ref_table(start, ())
    after = root.refs.sliced(rows.stop, len(root.refs))
    refs = before.joined(ref_table(start, (ref,))).joined(after)
    return checked(replace(root, refs=refs, trash=trash))


def _flushed(root: Root, ref: PageRef, folding: Folding) -> Root:
    refs = root.refs.joined(ref_table(ref.page.offsets.start, (ref,)))
    return checked(replace(root, refs=refs, entries=root.entries.dropped(folding.entries)))
