"""The first root of a clone: it lists the objects of another partition, where they are.

Its pages are its own, and tell of each object whose it is. They are made anew, which costs 88 bytes
an object before compression: pages of the other partition would have to be kept, and understood
with another table of origins.
"""

from dataclasses import replace

from everlog.format.entries import entry_table, origin_numbers, with_origins
from everlog.format.manifest import Draft, checked, first_root, settled
from everlog.format.origins import ORIGINS_MAX, Origin
from everlog.format.page import NewPage, new_page
from everlog.format.page_refs import INDEX_PAGE, PageRef, ref_of, ref_table
from everlog.format.recovery import RootPlan
from everlog.format.root import CLONE_FORMAT, Root
from everlog.format.span_table import SpanTable
from everlog.format.walk import Walk
from everlog.model.errors import RejectedError


class TooManyOriginsError(RejectedError):
    """A clone of a clone of so many that their number cannot be written down."""


def cloned_root(source: Root, *, plan: RootPlan) -> Walk[Draft]:
    """Make a root, and its pages, that list what another root does.

    Args:
        source: A committed root; the walk asks for pages of its partition.
        plan: Of the new root; its stamp is above that of every object that is listed.

    Raises:
        TooManyOriginsError: There would be more than `ORIGINS_MAX` origins.
    """
    origins = _origins(source)
    pages: list[NewPage] = []
    refs = yield from _copied(source.refs, _Copying(source, plan, pages))
    entries = _own(source.entries, source)
    if not refs and not len(entries):
        entries = entry_table(source.tiered_end, ())
    empty = first_root(
        plan.path,
        uid=next(plan.uids),
        stamp=plan.stamp,
        start=source.tiered_end,
        created_ms=plan.created_ms,
    )
    root = replace(
        empty,
        format=CLONE_FORMAT,
        live_start=source.live_start,
        tiered_start=source.tiered_start,
        tiered_end_epoch=source.tiered_end_epoch,
        totals=source.totals,
        refs=ref_table(source.live_start if refs else entries.base, refs),
        entries=entries,
        origins=origins,
    )
    return Draft(root=settled(checked(root)), pages=tuple(pages))


def _origins(source: Root) -> tuple[Origin, ...]:
    own = Origin(path=source.path, end=source.tiered_end, ver=source.stamp.ver)
    if len(source.origins) >= ORIGINS_MAX:
        raise TooManyOriginsError(
            f"{source.path.prefix} lists objects of {len(source.origins)} partitions already: "
            "clone the topic that it was made from"
        )
    return (own, *source.origins)


class _Copying:
    """What is copied, and the pages that have been made."""

    def __init__(self, source: Root, plan: RootPlan, pages: list[NewPage]) -> None:
        self.source = source
        self._plan = plan
        self._pages = pages

    def page(self, rows: SpanTable, *, level: int) -> PageRef:
        """Make a page."""
        made = new_page(self._plan.path, rows, level=level, uid=next(self._plan.uids))
        self._pages.append(made)
        return made.ref


def _copied(refs: SpanTable, copying: _Copying) -> Walk[list[PageRef]]:
    """Copy what is alive below some references, page by page, so that none becomes longer."""
    made: list[PageRef] = []
    for row in range(refs.index_after(copying.source.live_start), len(refs)):
        page = yield ref_of(refs, row).page
        if page.id.level == INDEX_PAGE:
            below = yield from _copied(page.rows, copying)
            rows = ref_table(below[0].page.offsets.start, below)
        else:
            rows = _own(page.rows, copying.source)
        made.append(copying.page(rows, level=page.id.level))
    return made


def _own(entries: SpanTable, source: Root) -> SpanTable:
    """Return what is alive of a table, each object with the origin that it has in the clone."""
    living = entries.dropped(entries.index_after(source.live_start))
    # What is the source's own has the first number, and what it had from others the next ones.
    return with_origins(living, range(1, 2 + max(origin_numbers(living), default=0)))
