"""A clone lists what another partition has, and never counts any of it as its own."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from everlog.format.cloning import TooManyOriginsError, cloned_root
from everlog.format.entries import Entry
from everlog.format.manifest import append, first_root, settled
from everlog.format.object_keys import PartitionPath
from everlog.format.origins import ORIGINS_MAX, Origin
from everlog.format.recovery import RootPlan
from everlog.format.retention import Cut, expired
from everlog.format.root import CLONE_FORMAT, PAGED_FORMAT, Root
from everlog.format.root_codec import decode_root, encode_root
from everlog.format.walk import drive
from everlog.model.ids import TopicId
from everlog.model.offsets import LeaderEpoch, Offset
from tests.unit.format.samples import NOW_MS, PATH, Pages, entry, given, stamp, uid, uids
from tests.unit.format.test_manifest_history import History


def elsewhere(number: int) -> PartitionPath:
    topic_id = TopicId(bytes([number]) * 16)
    return PartitionPath(cluster_id=PATH.cluster_id, topic_id=topic_id, partition=PATH.partition)


class CloneHistory(History):
    """The life of a clone of what another history has come to."""

    def __init__(self, seed: int, source: History, path: PartitionPath) -> None:
        self.source = source
        super().__init__(seed, path=path)
        self.live = list(self.listed())
        # Of pages that are made later, none has a name of the first ones.
        self.fresh = uids(5_000_000 + seed)

    def first(self) -> Root:
        source = self.source
        plan = RootPlan(
            path=self.path,
            stamp=stamp(1),
            uids=uids(3_000_000 + self.path.topic_id[0] * 10_000),
            created_ms=NOW_MS,
            not_before_ms=NOW_MS,
        )
        draft = drive(cloned_root(source.root, plan=plan), source.pages.load)
        self.pages.put(draft.pages)
        self.made |= {page.ref.page.key(self.path).text for page in draft.pages}
        return draft.root

    def homes(self) -> list[tuple[PartitionPath, Entry]]:
        return [(self.root.home_of(one), one) for one in self.listed()]


def grown(seed: int, steps: str, *, path: PartitionPath = PATH) -> History:
    history = History(seed, path=path)
    run(history, steps)
    return history


def run(history: History, steps: str) -> None:
    actions = {
        "a": history.append,
        "e": history.expire,
        "r": history.replace,
        "s": history.sweep,
    }
    for step in steps:
        actions[step]()
        history.check()


STEPS = st.text(st.sampled_from("aaaaaerrs"), max_size=30)


@given(st.integers(0, 2**32), STEPS, STEPS, examples=25)
def test_a_clone_lists_every_object_of_its_source_and_none_is_ever_its_own_to_delete(
    seed: int, before: str, after: str
) -> None:
    source = grown(seed, before)
    clone = CloneHistory(seed, source, elsewhere(1))
    assert clone.homes() == [(PATH, one) for one in source.live]
    assert clone.root.tiered_start == source.root.tiered_start
    assert clone.root.tiered_end == source.root.tiered_end
    clone.check()
    run(clone, after)  # each step accounts for every object of the clone, and for no other
    clone.check_lookups()
    again = CloneHistory(seed + 1, clone, elsewhere(2))
    assert again.homes() == clone.homes()
    again.check()


def test_a_clone_of_many_pages_has_as_many_and_no_dead_rows() -> None:
    source = grown(7, "a" * 90 + "e" + "a" * 20)
    clone = CloneHistory(7, source, elsewhere(1))
    assert set(clone.root.refs.rows.ints("level")) == {1, 2}
    assert clone.root.live_start == clone.root.refs.base
    assert clone.homes() == [(PATH, one) for one in source.live]


def plain(path: PartitionPath, *, count: int = 3) -> Root:
    root = first_root(path, uid=uid(-1), stamp=stamp(1), start=Offset(0), created_ms=NOW_MS)
    listed = [entry(at * 10, at * 10 + 10, ver=1) for at in range(count)]
    return append(root, listed, end_epoch=LeaderEpoch(2)) if listed else root


def clone_of(source: Root, path: PartitionPath) -> Root:
    plan = RootPlan(
        path=path,
        stamp=stamp(1),
        uids=uids(4_000_000),
        created_ms=NOW_MS,
        not_before_ms=NOW_MS,
    )
    return drive(cloned_root(source, plan=plan), Pages().load).root


def test_a_root_with_origins_is_of_the_third_format_and_reads_back_the_same() -> None:
    clone = clone_of(plain(PATH), elsewhere(1))
    assert clone.format == CLONE_FORMAT
    assert clone.origins == (Origin(path=PATH, end=Offset(30), ver=1),)
    stored = encode_root(clone)
    key = stored.ref.key(clone.path)
    assert decode_root(stored.body, key=key, digest=stored.ref.sha256) == clone


def test_a_clone_forgets_its_origins_with_the_last_foreign_object() -> None:
    clone = clone_of(plain(PATH), elsewhere(1))
    grown_on = append(clone, [entry(30, 40, number=99)], end_epoch=LeaderEpoch(4))
    some = drive(expired(grown_on, Cut(start=Offset(20)), not_before_ms=NOW_MS), Pages().load)
    assert settled(some).origins == clone.origins
    rest = drive(expired(grown_on, Cut(start=Offset(30)), not_before_ms=NOW_MS), Pages().load)
    assert (settled(rest).format, settled(rest).origins) == (PAGED_FORMAT, ())
    assert not len(rest.trash)


def test_the_clone_of_an_empty_tier_begins_where_that_ends() -> None:
    all_gone = drive(
        expired(plain(PATH), Cut(start=Offset(30)), not_before_ms=NOW_MS), Pages().load
    )
    clone = clone_of(all_gone, elsewhere(1))
    assert (clone.tiered_start, clone.tiered_end, clone.tiered_end_epoch) == (30, 30, 2)
    assert clone.origins == ()


def test_a_clone_of_a_clone_numbers_its_source_first_and_then_the_sources_own() -> None:
    middle = append(clone_of(plain(PATH), elsewhere(1)), [entry(30, 40)], end_epoch=LeaderEpoch(4))
    last = clone_of(middle, elsewhere(2))
    assert [each.path for each in last.origins] == [elsewhere(1), PATH]
    assert [each.end for each in last.origins] == [40, 30]


def test_more_origins_than_an_entry_can_number_are_refused() -> None:
    many = tuple(
        Origin(path=replace(PATH, partition=100 + number), end=Offset(0), ver=0)
        for number in range(ORIGINS_MAX)
    )
    full = replace(plain(PATH), format=CLONE_FORMAT, origins=many)
    with pytest.raises(TooManyOriginsError, match="255 partitions"):
        clone_of(full, elsewhere(1))


def test_a_root_that_lists_objects_of_no_known_origin_is_refused() -> None:
    clone = clone_of(plain(PATH), elsewhere(1))
    assert "lists objects of others" in str(replace(clone, format=PAGED_FORMAT, origins=()).fault())
    assert "0 origins" in str(replace(clone, origins=()).fault())
    own = (Origin(path=elsewhere(1), end=Offset(30), ver=1),)
    assert "not different" in str(replace(clone, origins=own).fault())
