"""What an object is to the tier: told from its name, its age, and the committed root alone."""

import pytest
from hypothesis import strategies as st

from everlog.format.manifest import append, first_root
from everlog.format.object_keys import LatestKey, PageKey, RootKey, SegmentKey, Stamp
from everlog.format.pointer import Pointer, claimed, pointer_to, unclaimed
from everlog.format.root import Root
from everlog.format.root_codec import encode_root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset, OffsetRange
from everlog.stores.object_key import object_key
from everlog.stores.object_store import ObjectInfo
from service.tiering.orphans import Census, Finding, Standing
from service.tiering.partition_names import RESTORE_EPOCH_STEP
from tests.unit.format.samples import (
    GRACE_MS,
    NOW_MS,
    PATH,
    Pages,
    entry,
    given,
    next_root,
    stamp,
    uid,
)
from tests.unit.format.test_manifest_history import History

AnyKey = SegmentKey | PageKey | RootKey | LatestKey


def info(key: AnyKey | str, *, age_ms: int = GRACE_MS) -> ObjectInfo:
    text = key if isinstance(key, str) else key.text
    return ObjectInfo(
        key=object_key(text), size=7, modified_ms=NOW_MS - age_ms, checksum_crc32c=None
    )


def pointer_of(root: Root) -> Pointer:
    return pointer_to(root, encode_root(root).ref)


def found(key: AnyKey | str, root: Root | None, pointer: Pointer, *, age_ms: int = 1) -> Finding:
    census = Census(pointer, root, now_ms=NOW_MS, grace_ms=0)
    return drive(census.finding(info(key, age_ms=age_ms)), Pages().load)


def segment(start: int, end: int, *, number: int, made: Stamp | None = None) -> SegmentKey:
    offsets = OffsetRange(Offset(start), Offset(end))
    return SegmentKey(path=PATH, offsets=offsets, stamp=made or stamp(1), uid=uid(number))


@pytest.fixture
def first() -> Root:
    return first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)


@pytest.fixture
def root(first: Root) -> Root:
    """The second commit: entries for [0, 10) and [10, 20)."""
    added = [entry(0, 10), entry(10, 20)]
    return append(next_root(first, 1), added, end_epoch=LeaderEpoch(3))


@given(st.integers(0, 2**32), st.lists(st.sampled_from("aaaaaees"), max_size=40), examples=40)
def test_all_that_a_tier_has_ever_made_and_not_deleted_is_accounted_for(
    seed: int, steps: list[str]
) -> None:
    history = History(seed)
    actions = {"a": history.append, "e": history.expire, "s": history.sweep}
    for number, step in enumerate(steps, 1):
        actions[step]()
        if number % 5 and number < len(steps):
            continue
        root = history.root
        trash = {name for item in root.trash.items() for name in history.opened(item.thing)}
        census = Census(pointer_of(root), root, now_ms=NOW_MS, grace_ms=GRACE_MS)
        for name in history.made - history.deleted:
            finding = drive(census.finding(info(name)), history.pages.load)
            wanted = Standing.TRASH if name in trash else Standing.LIVE
            assert finding.standing is wanted, finding


@pytest.mark.rule("TIER-9")
def test_what_an_earlier_owner_did_not_commit_is_an_orphan_once_the_tier_is_claimed_again(
    root: Root,
) -> None:
    pointer = pointer_of(root)
    attempt = segment(20, 30, number=99, made=stamp(3))
    uncommitted = RootKey(path=PATH, stamp=stamp(3), uid=uid(98))
    for key in (attempt, uncommitted):
        assert found(key, root, pointer).standing is Standing.OPEN
        after = found(key, root, claimed(pointer, epoch=LeaderEpoch(3)))
        assert after.standing is Standing.ORPHAN
        assert "claim 5" in after.reason


def test_what_a_later_owner_has_made_is_never_an_orphan(root: Root) -> None:
    later = stamp(3, claim=6)
    for key in (
        segment(20, 30, number=99, made=later),
        RootKey(path=PATH, stamp=later, uid=uid(9)),
    ):
        assert found(key, root, pointer_of(root)).standing is Standing.OPEN


def test_an_object_under_another_name_than_the_committed_one_is_an_orphan(root: Root) -> None:
    pointer = pointer_of(root)
    assert found(segment(10, 20, number=10, made=stamp(0)), root, pointer).standing is Standing.LIVE
    again = found(segment(10, 20, number=99), root, pointer)
    assert again.standing is Standing.ORPHAN
    assert "begins at 10" in again.reason
    other = found(RootKey(path=PATH, stamp=root.stamp, uid=uid(98)), root, pointer)
    assert other.standing is Standing.ORPHAN
    assert "became commit 2" in other.reason


@pytest.mark.rule("TIER-9")
def test_what_a_rewrite_is_making_is_no_orphan_until_its_owner_gives_it_up(root: Root) -> None:
    made = segment(0, 20, number=8)
    pointer = pointer_of(root)
    assert found(made, root, pointer).standing is Standing.ORPHAN
    census = Census(pointer, root, now_ms=NOW_MS, grace_ms=0, underway={uid(8)})
    assert drive(census.finding(info(made)), Pages().load).standing is Standing.OPEN
    later = claimed(pointer, epoch=pointer.stamp.epoch)
    census = Census(later, root, now_ms=NOW_MS, grace_ms=0, underway={uid(8)})
    assert drive(census.finding(info(made)), Pages().load).standing is Standing.ORPHAN


def test_a_page_that_nothing_refers_to_is_an_orphan(root: Root) -> None:
    page = PageKey(path=PATH, offsets=OffsetRange(Offset(0), Offset(20)), uid=uid(97))
    assert found(page, root, pointer_of(root)).standing is Standing.ORPHAN


def test_without_a_commit_only_the_claim_decides() -> None:
    pointer = unclaimed(Offset(0))
    attempt = segment(0, 10, number=99, made=Stamp(LeaderEpoch(0), 0, 1))
    assert found(attempt, None, pointer).standing is Standing.OPEN
    after = claimed(pointer, epoch=LeaderEpoch(0))
    assert found(attempt, None, after).standing is Standing.ORPHAN


def test_a_young_object_is_left_alone(root: Root) -> None:
    census = Census(pointer_of(root), root, now_ms=NOW_MS, grace_ms=GRACE_MS)
    orphan = segment(10, 20, number=99)
    for age_ms, wanted in ((GRACE_MS - 1, Standing.YOUNG), (GRACE_MS, Standing.ORPHAN)):
        finding = drive(census.finding(info(orphan, age_ms=age_ms)), Pages().load)
        assert finding.standing is wanted


def test_commits_that_the_pointer_does_not_know_are_told_apart_at_any_age(root: Root) -> None:
    ahead = RootKey(path=PATH, stamp=stamp(4), uid=uid(98))
    finding = found(ahead, root, pointer_of(root), age_ms=-1)
    assert finding.standing is Standing.AHEAD
    assert "commit 4" in finding.reason


@pytest.mark.rule("TIER-56")
def test_what_was_committed_by_who_has_lost_the_store_to_a_restore_are_orphans(root: Root) -> None:
    restored = LeaderEpoch(root.stamp.epoch + RESTORE_EPOCH_STEP)
    pointer = claimed(pointer_of(root), epoch=restored)
    # Terms in which it stored nothing: the restore has not seen them.
    for unseen in (0, 40, RESTORE_EPOCH_STEP // 2):
        made = Stamp(LeaderEpoch(root.stamp.epoch + unseen), root.stamp.claim + unseen, 60)
        later = RootKey(path=PATH, stamp=made, uid=uid(98))
        assert found(later, root, pointer).standing is Standing.ORPHAN
        assert found(later, root, pointer_of(root)).standing is Standing.AHEAD


def test_no_number_of_starts_on_a_pointer_that_was_set_back_hides_it(root: Root) -> None:
    ahead = RootKey(path=PATH, stamp=stamp(60), uid=uid(98))
    pointer = pointer_of(root)
    for _ in range(100):
        pointer = claimed(pointer, epoch=LeaderEpoch(pointer.stamp.epoch + 1))
    assert found(ahead, root, pointer).standing is Standing.AHEAD


def test_the_hint_is_part_of_the_tier_and_foreign_objects_are_nobody_s(root: Root) -> None:
    pointer = pointer_of(root)
    assert found(LatestKey(path=PATH), root, pointer).standing is Standing.LIVE
    assert found(f"{PATH.prefix}seg/notes.txt", root, pointer).standing is Standing.FOREIGN
