"""Which objects get old enough for another storage class."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from everlog.format.entries import Entry, entry_table
from everlog.format.folding import Folding, folded
from everlog.format.manifest import append, first_root
from everlog.format.root import Root
from everlog.format.walk import drive
from everlog.model.offsets import LeaderEpoch, Offset
from everlog.model.storage_class import StorageClass
from service.tiering.class_moves import (
    ENTRIES_LOOKED_AT_MAX,
    MOVED_BYTES_MIN,
    MoveSearch,
    class_of,
    find_move,
)
from service.tiering.class_rules import ClassRules
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, next_root, stamp, uid, uids

DAY_MS = 86_400_000
LATER = ClassRules(
    new=StorageClass.STANDARD_IA, later=StorageClass.GLACIER_IR, later_ms=30 * DAY_MS
)
LARGE = MOVED_BYTES_MIN


class Tier:
    """A tier of given objects."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.pages = Pages()
        root = first_root(PATH, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=0)
        root = append(next_root(root, 1), list(entries), end_epoch=LeaderEpoch(3))
        draft = drive(
            folded(root, uids=uids(), not_before_ms=0, folding=Folding()), self.pages.load
        )
        self.pages.put(draft.pages)
        self.root: Root = draft.root

    def search(
        self, *, start: int = 0, rules: ClassRules = LATER, now_ms: int = NOW_MS
    ) -> MoveSearch:
        walk = find_move(self.root, Offset(start), rules, now_ms=now_ms)
        return drive(walk, self.pages.load)


def aged(number: int, days: float, **others: int) -> Entry:
    time = NOW_MS - int(days * DAY_MS)
    fields = {"max_timestamp": time, "created_ms": time, "data_bytes": LARGE, **others}
    return entry(number, number + 1, **fields)


def found(search: MoveSearch) -> int | None:
    return None if search.plan is None else search.plan.offsets.start


def test_the_first_object_whose_newest_record_is_old_enough_is_moved() -> None:
    search = Tier([aged(0, 40), aged(1, 39)]).search()
    assert found(search) == 0
    assert search.plan is not None
    assert len(search.plan.entries) == 1


def test_an_object_is_moved_once_it_is_older_and_not_before() -> None:
    tier = Tier([aged(0, 30)])
    search = tier.search()
    assert found(search) is None
    assert search.is_over
    assert search.next_ms == NOW_MS + 1
    assert found(tier.search(now_ms=NOW_MS + 1)) == 0


@pytest.mark.parametrize(
    "object_",
    [
        replace(aged(0, 40), class_number=int(StorageClass.GLACIER_IR)),
        replace(aged(0, 40), class_number=99),
        aged(0, 40, data_bytes=LARGE - 101),
    ],
    ids=["moved", "of a class not known here", "small"],
)
def test_what_is_not_to_be_moved_is_passed_over_for_good(object_: Entry) -> None:
    tier = Tier([object_, aged(1, 40)])
    search = tier.search()
    assert found(search) == 1
    assert search.resume == 1


def test_what_a_clone_lists_of_its_source_is_for_the_source_to_move() -> None:
    tier = Tier([aged(0, 40)])
    tier.root = replace(tier.root, entries=entry_table(0, [replace(aged(0, 40), origin=1)]))
    assert found(tier.search()) is None


def test_the_least_size_that_a_class_bills_is_moved() -> None:
    assert found(Tier([aged(0, 40, data_bytes=LARGE - 100)]).search()) == 0


def test_an_object_without_timestamps_is_as_old_as_its_upload() -> None:
    old = aged(0, 40, max_timestamp=-1)
    assert found(Tier([old]).search()) == 0
    assert found(Tier([aged(0, 20, max_timestamp=-1)]).search()) is None


def test_records_from_the_future_do_not_keep_an_object_from_ageing() -> None:
    assert found(Tier([aged(0, 40, max_timestamp=NOW_MS + 1)]).search()) == 0


def test_an_old_object_behind_a_young_one_is_found_and_the_young_one_is_kept_in_mind() -> None:
    search = Tier([aged(0, 1), aged(1, 40)]).search()
    assert found(search) == 1
    assert search.resume == 0


def test_a_search_looks_at_no_more_than_it_may_and_goes_on_behind_what_is_done() -> None:
    done = replace(aged(0, 40), class_number=int(StorageClass.GLACIER_IR))
    count = ENTRIES_LOOKED_AT_MAX + 10
    entries = [
        replace(done, offsets=aged(number, 40).offsets, uid=uid(number)) for number in range(count)
    ]
    tier = Tier([*entries, aged(count, 40)])
    first = tier.search()
    assert (found(first), first.is_over, first.resume) == (None, False, ENTRIES_LOOKED_AT_MAX)
    assert found(tier.search(start=first.resume)) == count


def test_a_long_young_tail_is_not_searched_to_its_end() -> None:
    tier = Tier([aged(number, 1) for number in range(ENTRIES_LOOKED_AT_MAX + 10)])
    search = tier.search()
    assert (found(search), search.is_over, search.resume) == (None, True, 0)


def test_objects_come_back_when_the_class_for_later_is_the_default() -> None:
    back = ClassRules(later=StorageClass.STANDARD, later_ms=DAY_MS)
    moved = replace(aged(0, 40), class_number=int(StorageClass.GLACIER_IR))
    assert found(Tier([moved]).search(rules=back)) == 0
    assert found(Tier([aged(0, 40)]).search(rules=back)) is None


def test_what_is_merged_gets_the_class_that_its_newest_record_demands() -> None:
    old, young = aged(0, 40), aged(1, 29)
    assert class_of([old], LATER, now_ms=NOW_MS) is StorageClass.GLACIER_IR
    assert class_of([old, young], LATER, now_ms=NOW_MS) is StorageClass.STANDARD_IA
    assert class_of([old], ClassRules(), now_ms=NOW_MS) is StorageClass.STANDARD
