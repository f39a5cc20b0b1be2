from dataclasses import replace

import pytest

from everlog.format.entries import Totals, entry_table
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.page_refs import ref_table
from everlog.format.retention import Cut, expired
from everlog.format.root import INLINE_FORMAT, Root, RootFullError
from everlog.format.root_codec import encode_root
from everlog.format.trash import Trash, TrashedSegment
from everlog.format.walk import drive
from everlog.model.errors import RejectedError
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, stamp, uid, uids

MADE = [entry(base, base + 10) for base in range(0, 90, 10)]


def inline() -> Root:
    root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    return append(root, MADE, end_epoch=LeaderEpoch(3))


def paged() -> Root:
    pages = Pages()
    walk = folded(inline(), uids=uids(), not_before_ms=0, folding=Folding(entries=4))
    fold = drive(walk, pages.load)
    pages.put(fold.pages)
    return drive(expired(fold.root, Cut(start=Offset(25)), not_before_ms=0), pages.load)


INLINE, PAGED = inline(), paged()
TRASHED = TrashedSegment(offsets=MADE[8].offsets, stamp=MADE[8].stamp, uid=MADE[8].uid)


def test_a_sound_root_has_no_fault() -> None:
    assert INLINE.fault() is None
    assert PAGED.fault() is None


def test_what_a_paged_root_knows_without_its_pages() -> None:
    assert (PAGED.live_start, PAGED.tiered_start) == (20, 25)
    assert PAGED.dead.entries == 2
    assert PAGED.totals.entries == 7
    assert PAGED.max_timestamp == NOW_MS


@pytest.mark.parametrize(
    "root",
    [
        replace(INLINE, tiered_start=Offset(91)),
        replace(INLINE, tiered_start=Offset(10)),
        replace(INLINE, live_start=Offset(1), tiered_start=Offset(1)),
        replace(INLINE, tiered_end=Offset(91)),
        replace(INLINE, totals=INLINE.totals + Totals(records=1)),
        replace(INLINE, totals=INLINE.totals - Totals(records=1)),
        replace(INLINE, totals=Totals(entries=-1)),
        replace(INLINE, tiered_end_epoch=None),
        replace(INLINE, tiered_end_epoch=LeaderEpoch(-2)),
        replace(INLINE, uid=MADE[3].uid),
        replace(INLINE, trash=Trash().added([TRASHED], not_before_ms=0)),
        replace(INLINE, entries=entry_table(0, ()), refs=ref_table(0, ())),
        replace(INLINE, entries=entry_table(0, MADE[:8])),
        replace(INLINE, refs=ref_table(5, ())),
        replace(PAGED, format=INLINE_FORMAT),
        replace(PAGED, live_start=Offset(0), tiered_start=Offset(0)),
        replace(PAGED, tiered_start=Offset(40)),
        replace(PAGED, totals=PAGED.totals + PAGED.dead),
        replace(PAGED, refs=PAGED.refs.dropped(1)),
        replace(PAGED, entries=PAGED.entries.dropped(1)),
    ],
)
def test_a_root_that_contradicts_itself_has_a_fault_and_is_not_written(root: Root) -> None:
    assert root.fault()
    with pytest.raises(AssertionError):
        encode_root(root)


def test_a_full_root_says_what_to_do() -> None:
    error = RootFullError(root_format=1, entries=513)
    assert isinstance(error, RejectedError)
    assert "512" in str(error)


def test_a_reference_to_a_root_names_it() -> None:
    ref = encode_root(INLINE).ref
    assert ref.key(PATH).text.startswith(f"{PATH.roots}{INLINE.stamp.text}-")
