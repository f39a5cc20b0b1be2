from dataclasses import replace

import pytest

from everlog.format.entries import Totals
from everlog.format.folding import folded
from everlog.format.manifest import (
    NotContiguousError,
    append,
    first_root,
    skipped,
    successor,
    upgraded,
    without_trash,
)
from everlog.format.retention import Cut, expired
from everlog.format.root import INLINE_ENTRIES_MAX, INLINE_FORMAT, PAGED_FORMAT, Root, RootFullError
from everlog.format.root_codec import encode_root
from everlog.format.trash import TrashedRoot
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, next_root, stamp, uid, uids

EPOCH = LeaderEpoch(3)


def new_root(*, start: int = 0, root_format: int = PAGED_FORMAT) -> Root:
    return first_root(
        PATH,
        uid=uid(-1),
        stamp=stamp(1),
        start=Offset(start),
        created_ms=NOW_MS,
        root_format=root_format,
    )


def full_root(root_format: int) -> Root:
    made = [entry(base, base + 1) for base in range(INLINE_ENTRIES_MAX)]
    return append(new_root(root_format=root_format), made, end_epoch=EPOCH)


@pytest.mark.rule("TIER-8")
@pytest.mark.rule("TIER-15")
@pytest.mark.parametrize("base", [0, 99, 101])
def test_an_object_that_does_not_continue_the_tier_is_refused(base: int) -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    with pytest.raises(NotContiguousError) as caught:
        append(root, [entry(base, base + 50)], end_epoch=EPOCH)
    assert (caught.value.tiered_end, caught.value.base) == (100, base)


def test_a_gap_between_objects_of_one_commit_is_refused() -> None:
    with pytest.raises(NotContiguousError):
        append(new_root(), [entry(0, 100), entry(101, 102)], end_epoch=EPOCH)


@pytest.mark.rule("TIER-2")
def test_an_object_is_not_listed_twice() -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    with pytest.raises(AssertionError, match="twice"):
        append(root, [entry(100, 200, number=0)], end_epoch=EPOCH)


def test_an_object_from_the_trash_does_not_come_back() -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    root = drive(expired(root, Cut(start=Offset(100)), not_before_ms=0), Pages().load)
    root = append(root, [entry(100, 200, number=0)], end_epoch=EPOCH)
    with pytest.raises(AssertionError, match="trash"):
        encode_root(root)


def test_appending_moves_the_end_the_epoch_and_the_sums() -> None:
    one, two = entry(10, 15), entry(15, 40, data_bytes=7)
    root = append(new_root(start=10), [one, two], end_epoch=LeaderEpoch(2))
    assert (root.tiered_start, root.tiered_end, root.tiered_end_epoch) == (10, 40, 2)
    assert root.totals == one.totals + two.totals
    assert root.max_timestamp == NOW_MS


def test_the_epoch_at_the_end_never_goes_back() -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    with pytest.raises(AssertionError):
        append(root, [entry(100, 200)], end_epoch=LeaderEpoch(2))


def test_an_object_of_a_later_claim_is_not_for_this_root() -> None:
    with pytest.raises(AssertionError):
        append(new_root(), [entry(0, 1, ver=2)], end_epoch=EPOCH)


def test_format_1_refuses_a_513th_entry() -> None:
    root = full_root(INLINE_FORMAT)
    encode_root(root)
    with pytest.raises(RootFullError) as caught:
        append(root, [entry(INLINE_ENTRIES_MAX, 600)], end_epoch=EPOCH)
    assert (caught.value.root_format, caught.value.entries) == (1, 513)


def test_format_2_folds_before_it_is_stored() -> None:
    root = append(full_root(PAGED_FORMAT), [entry(INLINE_ENTRIES_MAX, 600)], end_epoch=EPOCH)
    with pytest.raises(RootFullError):
        encode_root(root)
    fold = drive(folded(root, uids=uids(), not_before_ms=0), Pages().load)
    assert len(fold.pages) == 1
    assert len(fold.root.entries) == 1
    encode_root(fold.root)


def test_a_full_root_of_format_1_goes_on_after_an_upgrade() -> None:
    root = full_root(INLINE_FORMAT)
    assert drive(folded(root, uids=uids(), not_before_ms=0), Pages().load).root is root
    fold = drive(folded(upgraded(root), uids=uids(), not_before_ms=0), Pages().load)
    assert fold.root.format == PAGED_FORMAT
    assert fold.root.totals == root.totals


def test_a_successor_names_its_predecessor_and_retires_it() -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    after = next_root(root, 1)
    assert after.previous == encode_root(root).ref
    assert after.stamp.ver == root.stamp.ver + 1
    assert [item.thing for item in after.trash.items()] == [
        TrashedRoot(stamp=root.stamp, uid=root.uid)
    ]
    assert replace(after, stamp=root.stamp, uid=root.uid, previous=None, trash=root.trash) == root


@pytest.mark.parametrize("later", [stamp(1), stamp(3), stamp(2, claim=4), stamp(2, epoch=2)])
def test_a_successor_of_another_term_or_number_is_none(later: object) -> None:
    root = new_root()
    with pytest.raises(AssertionError):
        successor(
            root,
            encode_root(root).ref,
            uid=uid(5),
            stamp=later,  # type: ignore[arg-type]
            created_ms=NOW_MS,
            not_before_ms=NOW_MS,
        )


@pytest.mark.rule("TIER-49")
def test_records_that_expired_before_their_upload_are_skipped() -> None:
    root = append(new_root(), [entry(0, 100)], end_epoch=EPOCH)
    with pytest.raises(AssertionError):
        skipped(root, to=Offset(500), end_epoch=EPOCH)
    root = drive(expired(root, Cut(start=Offset(500)), not_before_ms=0), Pages().load)
    assert root.tiered_start == root.tiered_end == 100
    root = skipped(root, to=Offset(500), end_epoch=LeaderEpoch(4))
    assert (root.tiered_start, root.tiered_end, root.tiered_end_epoch) == (500, 500, 4)
    assert root.totals == Totals()
    append(root, [entry(500, 501)], end_epoch=LeaderEpoch(4))


def test_forgotten_trash_is_gone_and_the_rest_stays() -> None:
    root = new_root()
    for number in range(3):
        root = next_root(root, number)
    rest = without_trash(root, range(2))
    assert list(rest.trash.items()) == list(root.trash.items())[2:]
