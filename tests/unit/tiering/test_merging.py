"""Which small objects become one: a tier that grows, and is merged as it grows."""

from math import log

import pytest
from hypothesis import strategies as st

from everlog.format.entries import Entry, entry_of
from everlog.format.folding import Folding, folded
from everlog.format.lookup import entries_at
from everlog.format.manifest import append, first_root, without_trash
from everlog.format.replacing import Replacement, replaced
from everlog.format.root import Root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from service.tiering.merging import (
    MERGE_OBJECTS_MAX,
    MERGE_OBJECTS_MIN,
    SIZE_SHARE_MAX,
    MergeLimits,
    MergePlan,
    find_merge,
)
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
    uids,
)

FOLDINGS = [Folding(), Folding(entries=4, small_pages=2, large_pages=2)]
OBJECT_BYTES = 1000


class Growing:
    """A tier to which objects come, and in which the planned merges are made at once."""

    def __init__(self, folding: Folding, limits: MergeLimits) -> None:
        self.folding = folding
        self.limits = limits
        self.pages = Pages()
        self.uids = uids()
        self.plans: list[MergePlan] = []
        self.rewritten_bytes = 0
        self.place = Offset(0)
        self.commits = 0
        self.root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=0)

    def add(self, *sizes: int, times: list[int] | None = None) -> None:
        added, base = [], self.root.tiered_end
        for number, size in enumerate(sizes):
            time = NOW_MS if times is None else times[number]
            added.append(
                entry(base, base + 1, data_bytes=size, max_timestamp=time, created_ms=abs(time))
            )
            base = Offset(base + 1)
        root = append(next_root(self.root, self.commits), added, end_epoch=LeaderEpoch(3))
        self._commit(without_trash(root, range(len(root.trash))))

    def merge(self) -> None:
        """Merge until nothing is due."""
        while True:
            walk = find_merge(self.root, self.place, self.limits)
            search = drive(walk, self.pages.load)
            assert search.resume >= self.place
            self.place = search.resume
            if search.plan is not None:
                self._make(search.plan)
            elif search.is_over:
                return

    def _make(self, plan: MergePlan) -> None:
        old = plan.entries
        assert 1 < len(old) <= MERGE_OBJECTS_MAX
        assert plan.data_bytes <= self.limits.object_bytes
        assert all(each.data_bytes <= self.limits.small_bytes for each in old)
        made = entry(
            plan.offsets.start,
            plan.offsets.end,
            number=3_000_000 + self.commits,
            data_bytes=plan.data_bytes,
            max_timestamp=max(each.max_timestamp for each in old),
            created_ms=plan.created_ms,
        )
        walk = replaced(
            next_root(self.root, self.commits),
            Replacement(old=old, new=[made]),
            uids=self.uids,
            not_before_ms=NOW_MS + GRACE_MS,
        )
        draft = drive(walk, self.pages.load)
        self.pages.put(draft.pages)
        self._commit(without_trash(draft.root, range(len(draft.root.trash))))
        self.plans.append(plan)
        self.rewritten_bytes += plan.data_bytes

    def _commit(self, root: Root) -> None:
        walk = folded(root, uids=self.uids, not_before_ms=NOW_MS, folding=self.folding)
        draft = drive(walk, self.pages.load)
        self.pages.put(draft.pages)
        self.root = draft.root
        self.commits += 1

    @property
    def entries(self) -> list[Entry]:
        found: list[Entry] = []
        while (at := found[-1].offsets.end if found else Offset(0)) < self.root.tiered_end:
            table = drive(entries_at(self.root, at), self.pages.load)
            found += [entry_of(table, row) for row in range(table.index_after(at), len(table))]
        return found

    @property
    def sizes(self) -> list[int]:
        return [each.data_bytes for each in self.entries]


def growing(**limits: int) -> Growing:
    return Growing(Folding(), MergeLimits(**{"object_bytes": OBJECT_BYTES, **limits}))


@pytest.mark.rule("TIER-30")
@given(
    st.lists(st.lists(st.integers(1, 700), min_size=1, max_size=20), max_size=8),
    st.sampled_from(FOLDINGS),
    examples=40,
)
def test_merging_ends_with_all_offsets_in_their_places(
    added: list[list[int]], folding: Folding
) -> None:
    tier = Growing(folding, MergeLimits(object_bytes=OBJECT_BYTES))
    for sizes in added:
        tier.add(*sizes)
        tier.merge()
    assert sum(tier.sizes) == sum(size for sizes in added for size in sizes)
    assert tier.root.totals.records == sum(len(sizes) for sizes in added)


@pytest.mark.parametrize("folding", FOLDINGS)
def test_many_small_objects_end_up_in_few_large_ones_each_byte_written_a_few_times(
    folding: Folding,
) -> None:
    tier = Growing(folding, MergeLimits(object_bytes=1 << 17))
    count, size = 400, 1 << 10
    for _ in range(count):
        tier.add(size)
        tier.merge()
    smallest = 1 / SIZE_SHARE_MAX
    assert tier.rewritten_bytes <= count * size * (1 + log((1 << 17) / size, smallest))
    assert len(tier.sizes) <= 400 // 64 + 3 * 2 * MERGE_OBJECTS_MIN
    full = [each for each in tier.sizes if each > 1 << 16]
    assert len(full) >= 2


def test_a_backlog_of_small_objects_is_merged_as_far_as_full_objects() -> None:
    tier = Growing(Folding(), MergeLimits(object_bytes=1 << 20))
    for _ in range(30):
        tier.add(*[1 << 10] * 50)
    tier.merge()
    assert len(tier.sizes) <= 1500 // 512 + 3 * 2 * MERGE_OBJECTS_MIN
    assert tier.rewritten_bytes <= 4 * 1500 << 10


def test_at_the_end_of_the_tier_objects_wait_until_they_are_many() -> None:
    tier = growing()
    tier.add(*[10] * (MERGE_OBJECTS_MIN - 1))
    tier.merge()
    assert not tier.plans
    tier.add(10)
    tier.merge()
    assert tier.sizes == [10 * MERGE_OBJECTS_MIN]


def test_where_nothing_more_can_come_two_are_enough() -> None:
    tier = growing()
    tier.add(600, 10, 20, 600, 5)
    tier.merge()
    assert tier.sizes == [600, 30, 600, 5]


def test_an_object_of_more_than_half_the_size_is_left_alone() -> None:
    tier = growing()
    tier.add(501, *[1] * 20, 501)
    tier.merge()
    assert tier.sizes == [501, 20, 501]


def test_objects_that_are_full_together_are_not_taken_apart() -> None:
    tier = growing()
    tier.add(*[300] * 7)
    tier.merge()
    assert tier.sizes == [900, 900, 300]


def test_a_merged_object_spans_no_more_time_than_it_may() -> None:
    tier = growing(span_ms_max=50)
    tier.add(*[10] * 9, times=[NOW_MS + 20 * number for number in range(9)])
    tier.merge()
    assert tier.sizes == [30, 20, 20, 10, 10]
    tier.merge()
    assert tier.sizes == [30, 20, 20, 10, 10]


def test_a_merged_object_that_is_the_first_of_its_tier_goes_by_the_time_of_its_upload() -> None:
    tier = growing(span_ms_max=50)
    for number in range(40):
        tier.add(10, times=[NOW_MS + 20 * number])
        tier.merge()
    assert max(tier.sizes) <= 30


def test_objects_without_timestamps_are_as_old_as_their_uploads() -> None:
    tier = growing(span_ms_max=50)
    tier.add(*[10] * MERGE_OBJECTS_MIN, times=[-1] * MERGE_OBJECTS_MIN)
    tier.merge()
    assert tier.sizes == [10 * MERGE_OBJECTS_MIN]


@pytest.mark.rule("TIER-40")
def test_pages_of_large_objects_are_passed_over_unread() -> None:
    tier = Growing(FOLDINGS[1], MergeLimits(object_bytes=OBJECT_BYTES))
    for _ in range(40):
        tier.add(900)
    tier.add(*[1] * MERGE_OBJECTS_MIN)
    tier.pages.loads = 0
    tier.merge()
    assert tier.plans
    assert tier.pages.loads < 6
