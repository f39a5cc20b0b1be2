from everlog.format.entries import Totals
from everlog.format.folding import Folding, folded
from everlog.format.manifest import Draft, append, first_root
from everlog.format.page_refs import ref_of
from everlog.format.retention import Cut, expired
from everlog.format.root import Root
from everlog.format.trash import TrashedPage
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, stamp, uid, uids

SMALL = Folding(entries=4, small_pages=2, large_pages=3)


class Growing:
    """A root that grows by four entries of one offset a commit."""

    def __init__(self) -> None:
        self.pages = Pages()
        self.uids = uids()
        self.root: Root = first_root(
            PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS
        )

    def grow(self) -> Draft:
        end = self.root.tiered_end
        made = [entry(base, base + 1) for base in range(end, end + SMALL.entries)]
        root = append(self.root, made, end_epoch=LeaderEpoch(3))
        fold = drive(
            folded(root, uids=self.uids, not_before_ms=NOW_MS, folding=SMALL), self.pages.load
        )
        self.pages.put(fold.pages)
        self.root = fold.root
        return fold

    def shape(self) -> list[tuple[int, int]]:
        """Level and entries of each reference."""
        rows = self.root.refs.rows
        return list(zip(rows.ints("level"), rows.ints("entries"), strict=True))


def test_entries_become_pages_pages_merge_and_references_move_below_an_index_page() -> None:
    growing, shapes = Growing(), []
    for _ in range(9):
        growing.grow()
        shapes.append(growing.shape())
    assert shapes == [
        [(1, 4)],
        [(1, 4), (1, 4)],
        [(1, 8), (1, 4)],
        [(1, 8), (1, 4), (1, 4)],
        [(1, 8), (1, 8), (1, 4)],
        [(1, 8), (1, 8), (1, 4), (1, 4)],
        [(1, 8), (1, 8), (1, 8), (1, 4)],
        [(2, 24), (1, 4), (1, 4)],
        [(2, 24), (1, 8), (1, 4)],
    ]
    assert growing.root.totals.entries == 36
    assert growing.root.dead == Totals()


def test_merged_pages_are_trash_and_indexed_ones_are_not() -> None:
    growing = Growing()
    for _ in range(3):
        growing.grow()
    assert len(growing.root.trash) == 2
    assert all(isinstance(item.thing, TrashedPage) for item in growing.root.trash.items())
    before = len(growing.root.trash)
    while (2, 24) not in growing.shape():
        before = len(growing.root.trash)
        growing.grow()
    assert len(growing.root.trash) == before


def test_a_merge_leaves_dead_entries_behind() -> None:
    growing = Growing()
    growing.grow()
    growing.grow()
    growing.root = drive(
        expired(growing.root, Cut(start=Offset(3)), not_before_ms=NOW_MS), growing.pages.load
    )
    assert growing.root.dead.entries == 3
    growing.grow()
    assert growing.shape() == [(1, 5), (1, 4)]
    assert growing.root.dead == Totals()
    assert ref_of(growing.root.refs, 0).page.offsets.start == 3


def test_nothing_is_made_when_nothing_is_due() -> None:
    growing = Growing()
    fold = drive(folded(growing.root, uids=iter(()), not_before_ms=0), growing.pages.load)
    assert fold == Draft(root=growing.root, pages=())


def test_one_commit_can_flush_more_than_one_page() -> None:
    growing = Growing()
    made = [entry(base, base + 1) for base in range(11)]
    root = append(growing.root, made, end_epoch=LeaderEpoch(3))
    fold = drive(folded(root, uids=uids(), not_before_ms=0, folding=SMALL), growing.pages.load)
    assert len(fold.pages) == 2
    assert len(fold.root.entries) == 3
